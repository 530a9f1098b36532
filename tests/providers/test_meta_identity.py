"""Who is who in Meta's webhooks: numbers, BSUIDs, contacts, and changes of all of them."""

from typing import Any

import pytest

from models.values import MessageType, SenderType
from providers.events import Event, IdentityLinked, Malformed, MessageArrived, Party
from tests.providers.envelopes import BSUID, CONTACT, CUSTOMER, message, only
from tests.providers.envelopes import parse_change as parse

OTHER = "US.70331845520917746028"
PARENT = "GB.ENT.90317745562018844736"


def anonymous(**more: Any) -> dict[str, Any]:
    item = message(**more)
    return {key: value for key, value in item.items() if not key.startswith("from") or key in more}


def parties(events: list[Event]) -> list[Party]:
    return [event.party for event in events if isinstance(event, MessageArrived)]


def party(contacts: list[Any], item: dict[str, Any]) -> Party:
    return only(parse(contacts=contacts, messages=[item]), MessageArrived).party


def test_contacts_are_matched_by_id_not_by_index() -> None:
    marco = {"profile": {"name": "Marco"}, "wa_id": "14155550137", "user_id": OTHER}
    items = [
        message(id="1"),
        anonymous(id="2", from_user_id=OTHER),
        anonymous(id="3", **{"from": "14155550137"}),
    ]
    names = [one.name for one in parties(parse(contacts=[marco, CONTACT], messages=items))]
    assert names == ["Priya Raman", "Marco", "Marco"]


def test_a_lone_contact_is_used_where_the_item_names_nobody() -> None:
    assert party([CONTACT], anonymous()) == Party(phone=f"+{CUSTOMER}", user_id=BSUID, name="Priya Raman")


def test_a_lone_contact_is_not_lent_to_somebody_else() -> None:
    items = [message(id="1"), anonymous(id="2", **{"from": "14155550137"}), anonymous(id="3", from_user_id=OTHER)]
    found = parties(parse(contacts=[CONTACT], messages=items))
    assert [one.name for one in found] == ["Priya Raman", None, None]
    assert found[1] == Party(phone="+14155550137")
    assert found[2] == Party(user_id=OTHER)


def test_a_lone_contact_without_a_number_is_nobodys_where_several_wrote() -> None:
    contact = {"profile": {"name": "Marco"}, "user_id": OTHER}
    items = [anonymous(id="1", from_user_id=OTHER), anonymous(id="2", **{"from": CUSTOMER})]
    assert parties(parse(contacts=[contact], messages=items)) == [
        Party(user_id=OTHER, name="Marco"),
        Party(phone=f"+{CUSTOMER}"),
    ]


def test_a_lone_contact_is_that_of_all_messages_of_one_sender() -> None:
    contact = {"profile": {"name": "Priya Raman"}, "user_id": BSUID}
    items = [anonymous(id=str(n), **{"from": CUSTOMER}) for n in range(2)]
    assert (
        parties(parse(contacts=[contact], messages=items))
        == [Party(phone=f"+{CUSTOMER}", user_id=BSUID, name="Priya Raman")] * 2
    )


@pytest.mark.parametrize(
    ("wa_id", "sender"),
    [("551187654321", "5511987654321"), ("5215512345678", "525512345678"), ("5491123456789", "541123456789")],
)
def test_two_spellings_of_one_number_are_one_contact_and_the_senders_is_kept(wa_id: str, sender: str) -> None:
    found = party([{"profile": {"name": "N"}, "wa_id": wa_id}], anonymous(**{"from": sender}))
    assert found == Party(phone=f"+{sender}", name="N")


def test_a_user_without_a_number_goes_by_the_bsuid() -> None:
    contact = {"profile": {"name": "Priya", "username": "@priya.raman"}, "user_id": BSUID, "parent_user_id": PARENT}
    found = party([contact], anonymous(from_user_id=BSUID))
    assert found == Party(user_id=BSUID, parent_user_id=PARENT, username="priya.raman", name="Priya")


def test_a_bsuid_in_the_place_of_the_number_is_a_bsuid() -> None:
    assert party([], anonymous(**{"from": BSUID})) == Party(user_id=BSUID)
    assert party([], anonymous(**{"from": PARENT})) == Party(parent_user_id=PARENT)


def test_an_id_of_an_earlier_draft_is_taken_as_it_is() -> None:
    assert party([], anonymous(from_user_id="13491208655302741918")) == Party(user_id="13491208655302741918")


@pytest.mark.parametrize("profile", [None, {}, {"name": ""}, {"name": None}, [], "Priya"])
def test_a_contact_without_a_name_is_no_trouble(profile: object) -> None:
    assert party([{"profile": profile, "wa_id": CUSTOMER}], message()).name is None


@pytest.mark.parametrize("contacts", [None, {}, "x", [None, 1, "x", []], [{}]])
def test_odd_contacts_are_no_trouble(contacts: Any) -> None:
    assert party(contacts, message()).phone == f"+{CUSTOMER}"


@pytest.mark.parametrize("sender", ["0", "07700900381", "1" * 16, "abc", "", "GB.", "gb.123", {"a": 1}, None])
def test_what_is_neither_number_nor_bsuid_identifies_nobody(sender: object) -> None:
    assert only(parse(messages=[anonymous(**{"from": sender})]), Malformed).reason == "message_without_sender"


def changed(system: dict[str, Any], **more: Any) -> tuple[MessageArrived, IdentityLinked]:
    note, link = parse(messages=[message("system", system=system, **more)])
    assert isinstance(note, MessageArrived)
    assert isinstance(link, IdentityLinked)
    return note, link


NUMBER_CHANGE = {"type": "user_changed_number", "body": "…", "wa_id": "447700900912", "user_id": OTHER}


def test_a_changed_number_is_a_note_and_a_link() -> None:
    note, link = changed({**NUMBER_CHANGE, "previous_user_id": BSUID})
    assert (note.content.type, note.sender_type) == (MessageType.SYSTEM, SenderType.SYSTEM)
    assert note.content.text == "…"
    assert (link.old, link.new) == (
        Party(phone=f"+{CUSTOMER}", user_id=BSUID),
        Party(phone="+447700900912", user_id=OTHER),
    )
    assert (note.path, note.key, link.key) == (link.path, "m:wamid.ONE", "i:wamid.ONE")


def test_older_names_of_a_changed_number_mean_the_same() -> None:
    note, link = changed({"type": "customer_changed_number", "new_wa_id": "447700900912"}, from_user_id=None)
    assert note.content.system == {"kind": "user_changed_number", "phone": "+447700900912"}
    assert note.content.raw_type == "customer_changed_number"
    assert (link.old, link.new) == (Party(phone=f"+{CUSTOMER}"), Party(phone="+447700900912"))


def test_a_changed_bsuid_links_without_any_number() -> None:
    system = {"type": "user_changed_user_id", "user_id": OTHER, "previous_user_id": BSUID, "body": "…"}
    note, link = parse(messages=[anonymous(type="system", system=system)])
    assert isinstance(note, MessageArrived)
    assert isinstance(link, IdentityLinked)
    assert (note.party, link.old, link.new) == (Party(user_id=BSUID), Party(user_id=BSUID), Party(user_id=OTHER))


def test_a_changed_security_code_links_nobody() -> None:
    identity = {"acknowledged": True, "hash": "q8"}
    system = {"type": "customer_identity_changed", "body": "…", "user_id": BSUID}
    note = only(parse(messages=[message("system", system=system, identity=identity)]), MessageArrived)
    assert note.content.system is not None
    assert note.content.system["identity"] == identity
    assert note.metadata is None


def test_the_prose_of_a_note_is_never_parsed() -> None:
    body = "User Priya changed from 447700900381 to 447700900912"
    note = only(
        parse(messages=[message("system", system={"type": "user_changed_number", "body": body})]), MessageArrived
    )
    assert note.content.system == {"kind": "user_changed_number"}


def test_the_withdrawn_field_of_a_changed_bsuid_is_tolerated() -> None:
    item = {
        "wa_id": CUSTOMER,
        "user_id": {"previous": BSUID, "current": OTHER},
        "detail": "changed",
        "timestamp": 1793100637,
    }
    link = only(parse("user_id_update", user_id_update=[item]), IdentityLinked)
    assert (link.old, link.new) == (Party(user_id=BSUID), Party(phone=f"+{CUSTOMER}", user_id=OTHER))
    assert link.metadata == {"detail": "changed"}
