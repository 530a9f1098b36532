"""What Meta's inbound messages become, rule by rule; whole payloads are in the golden files."""

from typing import Any

import pytest

from models.message import Context
from models.values import Direction, MediaState, MessageType, SenderType
from providers.events import (
    Malformed,
    MessageArrived,
    MessageEdited,
    MessageRevoked,
    Party,
    ReactionChanged,
)
from tests.providers.envelopes import BSUID, BUSINESS, CONTACT, CUSTOMER, METADATA, NUMBER_ID, message, only
from tests.providers.envelopes import parse_change as parse

HEX = "5cb40926f6eabfea0b7dbe337ceca0cb7054f300e70d94cb0ae9291f6535380a"
BASE64 = "XLQJJvbqv+oLfb4zfOygy3BU8wDnDZTLCukpH2U1OAo="


def arrived(kind: str = "text", /, **more: Any) -> MessageArrived:
    return only(parse(contacts=[CONTACT], messages=[message(kind, **more)]), MessageArrived)


def reason(**value: Any) -> str:
    return only(parse(**value), Malformed).reason


# --- content -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [(BASE64, HEX), (HEX, HEX), (HEX.upper(), HEX), ("short", None), ("A" * 43 + "!", None), (None, None), (7, None)],
)
def test_a_digest_is_kept_as_lower_case_hex_from_either_spelling(given: object, kept: str | None) -> None:
    media = arrived("image", image={"id": "1", "sha256": given}).content.media
    assert media is not None
    assert media.sha256 == kept


def test_a_media_type_is_kept_without_parameters_and_whole_in_metadata() -> None:
    voice = arrived("audio", audio={"id": "1", "mime_type": "audio/ogg; codecs=opus", "voice": True})
    assert voice.content.media is not None
    assert (voice.content.media.mime_type, voice.content.media.voice) == ("audio/ogg", True)
    assert voice.metadata == {"audio": {"mime_type": "audio/ogg; codecs=opus"}}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\lease.pdf", "lease.pdf"),
        ("a\x00b\nc.pdf", "abc.pdf"),
        ("fdp\u202eexe.pdf", "fdpexe.pdf"),
        ("..", None),
        ("/", None),
        ("", None),
        (".htaccess", "htaccess"),
        ("naïve 文.pdf", "naïve 文.pdf"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_file_name_neither_climbs_nor_hides(sent: str, kept: str | None) -> None:
    media = arrived("document", document={"id": "1", "filename": sent}).content.media
    assert media is not None
    assert media.file_name == kept


def test_media_that_can_never_be_fetched_says_so() -> None:
    lost = arrived("image", image={"caption": "look"}).content.media
    waiting = arrived("image", image={"id": "1"}).content.media
    assert lost is not None
    assert waiting is not None
    assert (lost.state, lost.error, lost.caption) == (MediaState.FAILED, "no_media_id", "look")
    assert (waiting.state, waiting.error) == (MediaState.PENDING, None)


def test_the_very_old_voice_type_is_audio() -> None:
    content = arrived("voice", voice={"id": "1"}).content
    assert content.type is MessageType.AUDIO
    assert content.media is not None
    assert content.media.voice is True


def test_several_contact_cards_are_all_kept_the_first_also_alone() -> None:
    cards = [{"name": {"formatted_name": "A"}}, {"phones": [{"phone": "+44 7700 900214"}]}, {}]
    content = arrived("contacts", contacts=cards).content
    assert content.contacts is not None
    assert [card.name for card in content.contacts] == ["A", None, None]
    assert content.contacts[1].phone_number == "+447700900214"
    assert content.contact == content.contacts[0]


def test_a_single_contact_card_is_no_list() -> None:
    content = arrived("contacts", contacts=[{"name": {"first_name": "Jess", "last_name": "Holt"}}]).content
    assert content.contacts is None
    assert content.contact is not None
    assert content.contact.name == "Jess Holt"


@pytest.mark.parametrize(
    ("response_json", "kept"),
    [
        ('{"a": 1}', {"a": 1}),
        ("[1, 2]", [1, 2]),
        ('"word"', "word"),
        ("17", 17),
        ("no json", "no json"),
        ({"already": "decoded"}, {"already": "decoded"}),
        (None, None),
    ],
)
def test_a_form_answer_need_not_be_an_object_nor_json(response_json: object, kept: object) -> None:
    answer = {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": response_json}}
    reply = arrived("interactive", interactive=answer).content.reply
    assert reply is not None
    assert (reply.kind, reply.name, reply.title, reply.response) == ("nfm_reply", "flow", "Sent", kept)


def test_an_unknown_interactive_answer_keeps_its_object() -> None:
    content = arrived("interactive", interactive={"type": "product", "product": {"id": "sku"}}).content
    assert content.type is MessageType.INTERACTIVE
    assert content.reply is not None
    assert (content.reply.kind, content.reply.response) == ("product", {"id": "sku"})


def test_an_order_takes_prices_as_numbers_or_strings() -> None:
    lines = [{"product_retailer_id": "a", "quantity": "2", "item_price": "34.50"}, {"item_price": 6, "extra": 1}, None]
    event = arrived("order", order={"catalog_id": "9", "product_items": lines})
    assert event.content.order is not None
    assert [(item.quantity, item.price) for item in event.content.order.items] == [(2.0, 34.5), (None, 6.0)]
    assert event.metadata == {"order": {"product_items": lines}}, "a line that says more is kept whole"


@pytest.mark.parametrize("coordinates", [{}, {"latitude": "north"}, {"latitude": 1, "longitude": None}])
def test_a_location_without_a_place_is_a_placeholder(coordinates: dict[str, Any]) -> None:
    content = arrived("location", location=coordinates).content
    assert (content.type, content.raw_type) == (MessageType.UNSUPPORTED, "location")


def test_an_empty_text_is_a_text() -> None:
    assert arrived(text={"body": ""}).content.type is MessageType.TEXT


@pytest.mark.parametrize("kind", ["text", "image", "interactive", "order", "contacts", "button", "location", "system"])
def test_a_known_type_without_its_object_becomes_a_placeholder(kind: str) -> None:
    item = message(kind)
    item.pop(kind, None)
    content = only(parse(messages=[item]), MessageArrived).content
    assert (content.type, content.raw_type) == (MessageType.UNSUPPORTED, kind)


def test_a_missing_object_is_explained_by_the_errors_of_the_value() -> None:
    error = {"code": 131000, "title": "Something went wrong"}
    events = parse(messages=[message("interactive")], errors=[error])
    assert isinstance(events[0], MessageArrived)
    assert events[0].content.error is not None
    assert events[0].content.error.code == "131000"
    assert len(events) == 2


def test_an_unknown_type_is_a_placeholder_that_keeps_everything() -> None:
    event = arrived("hologram", hologram={"depth": 3}, mood="blue")
    assert (event.content.type, event.content.raw_type) == (MessageType.UNSUPPORTED, "hologram")
    assert event.metadata == {"hologram": {"depth": 3}, "mood": "blue"}


def test_an_item_without_a_type_is_read_by_the_object_it_has() -> None:
    item = message()
    del item["type"]
    assert only(parse(messages=[item]), MessageArrived).content.text == "hello"


def test_an_unsupported_item_keeps_code_words_and_the_type_meant() -> None:
    errors = [{"code": 131051, "title": "Unknown", "error_data": {"details": "Not supported."}}]
    content = arrived("unsupported", unsupported={"type": "poll_creation"}, errors=errors).content
    assert content.error is not None
    assert (content.raw_type, content.error.code, content.error.details) == (
        "poll_creation",
        "131051",
        "Not supported.",
    )


def test_further_errors_are_kept_beside_the_first() -> None:
    errors = [{"code": 1}, {"code": 2}]
    assert arrived("unsupported", errors=errors).metadata == {"errors": errors}


def test_unknown_fields_are_kept_wherever_they_stand() -> None:
    contact = {**CONTACT, "identity_key_hash": "q8", "profile": {"name": "P", "badge": 1}}
    item = message(text={"body": "x", "preview": True}, context={"id": "w", "ghost": 1}, from_logical_id="7")
    event = only(parse(contacts=[contact], messages=[item]), MessageArrived)
    assert event.metadata == {
        "from_logical_id": "7",
        "text": {"preview": True},
        "context": {"ghost": 1},
        "contact": {"identity_key_hash": "q8", "profile": {"badge": 1}},
    }


def test_a_fully_understood_message_has_no_metadata() -> None:
    assert arrived().metadata is None


# --- context and referral ----------------------------------------------------------------------------------------


def test_a_quoted_number_id_stands_for_the_business() -> None:
    assert arrived(context={"from": NUMBER_ID, "id": "w"}).context == Context(message_id="w", from_=f"+{BUSINESS}")


def test_forwarding_marks_are_kept_apart() -> None:
    assert arrived(context={"forwarded": True}).context == Context(forwarded=True)
    assert arrived(context={"frequently_forwarded": True}).context == Context(frequently_forwarded=True)


def test_an_empty_context_is_none() -> None:
    assert arrived(context={}).context is None


def test_a_click_id_is_never_made_of_the_source_id() -> None:
    referral = arrived(referral={"source_id": "120231994407150266", "source_type": "ad"}).referral
    assert referral is not None
    assert (referral.source_id, referral.ctwa_clid) == ("120231994407150266", None)


def test_a_referral_comes_with_any_type_and_keeps_what_we_do_not_name() -> None:
    referral = arrived("image", image={"id": "1"}, referral={"ctwa_clid": "c", "novel": {"x": 1}}).referral
    assert referral is not None
    assert (referral.ctwa_clid, referral.raw) == ("c", {"novel": {"x": 1}})


# --- reactions, edits, revokes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reaction", "emoji"),
    [({"emoji": "👍"}, "👍"), ({}, None), ({"emoji": ""}, None), ({"emoji": None}, None)],
)
def test_a_reaction_without_an_emoji_is_a_removal(reaction: dict[str, Any], emoji: str | None) -> None:
    item = message("reaction", reaction={"message_id": "wamid.T", **reaction})
    event = only(parse(messages=[item]), ReactionChanged)
    assert (event.target_id, event.emoji, event.party.phone) == ("wamid.T", emoji, f"+{CUSTOMER}")


def test_an_edit_carries_the_new_content_of_its_target() -> None:
    edit = {"original_message_id": "wamid.T", "message": {"type": "image", "image": {"id": "1", "caption": "new"}}}
    event = only(parse(messages=[message("edit", edit=edit)]), MessageEdited)
    assert (event.target_id, event.key, event.content.type) == ("wamid.T", "e:wamid.ONE", MessageType.IMAGE)
    assert event.content.media is not None
    assert event.content.media.caption == "new"


def test_an_edit_to_a_type_we_do_not_know_still_arrives() -> None:
    edit = {"original_message_id": "wamid.T", "message": {"type": "hologram", "hologram": {}}}
    event = only(parse(messages=[message("edit", edit=edit)]), MessageEdited)
    assert (event.content.type, event.content.raw_type) == (MessageType.UNSUPPORTED, "hologram")


def test_a_revoke_names_its_target() -> None:
    event = only(parse(messages=[message("revoke", revoke={"original_message_id": "wamid.T"})]), MessageRevoked)
    assert (event.target_id, event.key, event.direction) == ("wamid.T", "d:wamid.ONE", Direction.INBOUND)


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (message("reaction", reaction={"emoji": "👍"}), "reaction_without_target"),
        (message("revoke"), "revoke_without_target"),
        (message("edit", edit={"message": {"type": "text", "text": {"body": "x"}}}), "edit_without_target"),
        (message("edit", edit={"original_message_id": "w"}), "edit_without_content"),
        (message("edit", edit={"original_message_id": "w", "message": {"type": "text"}}), "edit_without_content"),
        (message(id=None), "message_without_id"),
        (message(**{"from": None, "from_user_id": None}), "message_without_sender"),
        (None, "item_not_an_object"),
        ("text", "item_not_an_object"),
        ([], "item_not_an_object"),
    ],
)
def test_what_cannot_be_read_says_what_is_wrong(item: object, why: str) -> None:
    assert reason(messages=[item]) == why


def test_an_odd_item_costs_only_itself() -> None:
    events = parse(messages=[message(id="a"), None, message(id=None), message("hologram", id="b")])
    assert [type(event).__name__ for event in events] == [
        "MessageArrived",
        "Malformed",
        "Malformed",
        "MessageArrived",
    ]
    assert [event.path.rpartition(".")[2] for event in events] == ["0", "1", "2", "3"]


# --- who and when ------------------------------------------------------------------------------------------------


def test_a_message_is_for_the_number_id_and_from_the_customer() -> None:
    event = arrived()
    assert event.account is not None
    assert (event.account.kind, event.account.value) == ("phone_number_id", NUMBER_ID)
    assert (event.business, event.direction, event.sender_type) == (
        f"+{BUSINESS}",
        Direction.INBOUND,
        SenderType.CUSTOMER,
    )
    assert event.key == "m:wamid.ONE"


def test_without_a_number_id_a_message_is_for_the_display_number_within_its_business_account() -> None:
    metadata = {"display_phone_number": METADATA["display_phone_number"]}
    event = only(parse(metadata=metadata, messages=[message()]), MessageArrived)
    assert event.account is not None
    assert (event.account.kind, event.account.value) == ("display_phone_number", f"209145368820417/{BUSINESS}")


def test_a_group_is_a_chat_of_its_own_and_the_participant_its_author() -> None:
    event = arrived(group_id="Y2FwaQ")
    assert (event.group_id, event.party) == ("Y2FwaQ", Party(chat_id="Y2FwaQ"))
    assert event.author is not None
    assert (event.author.user_id, event.author.phone) == (BSUID, f"+{CUSTOMER}")


def test_a_group_message_of_nobody_is_malformed() -> None:
    item = {key: value for key, value in message(group_id="Y2FwaQ").items() if not key.startswith("from")}
    assert only(parse(messages=[item]), Malformed).reason == "message_without_sender"


def test_the_first_opening_of_a_chat_is_a_note_that_the_customer_made() -> None:
    event = arrived("request_welcome")
    assert (event.content.type, event.content.system) == (MessageType.SYSTEM, {"kind": "request_welcome"})
    assert event.sender_type is SenderType.CUSTOMER, "so that it opens the service window"
