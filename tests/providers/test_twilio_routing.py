"""Whose webhook it is: Account SID, our number, messaging service; and how the door is answered."""

from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers import registry
from providers.base import Account, FormField
from providers.directory import AccountDirectory
from providers.events import AccountKey
from providers.twilio import PROVIDER
from providers.twilio.routing import ACCOUNT, ANY_SENDER, SENDER, SERVICE
from runtime.crypto import Secret
from tests.fixtures.twilio.conformance import ACCOUNT_SID, FORM, KIT, NUMBER, SERVICE_SID
from tests.fixtures.twilio.webhooks import MESSAGE, STATUS, message, parse, post, post_json, status

OTHER_SID = "AC" + "f" * 32
OTHER_NUMBER = "+14155550133"


def account(name: str, *, token: str = "token", **fields: str) -> Account:
    chosen = {"accountSid": ACCOUNT_SID, **fields}
    return Account(id=name, provider="twilio", fields=chosen, secrets={"authToken": (Secret(token),)})


def directory(*accounts: Account) -> AccountDirectory:
    found = AccountDirectory(lambda: accounts, providers=registry.by_names(), ttl=timedelta(seconds=5))
    found.refresh(older_than=0)
    return found


def named(known: AccountDirectory, key: AccountKey | None) -> list[str]:
    assert key is not None
    return [found.id for found in known.named(PROVIDER, key)]


FIRST = account("cfg_1", phoneNumber=NUMBER)
SECOND = account("cfg_2", phoneNumber=OTHER_NUMBER)
BY_SERVICE = account("cfg_3", messagingServiceSid=SERVICE_SID)
STRANGER = account("cfg_4", accountSid=OTHER_SID, phoneNumber=NUMBER, token="another")


def test_a_message_is_for_whom_it_was_sent_to_and_a_callback_for_whom_it_was_sent_by() -> None:
    assert message().account == status().account == AccountKey(SENDER, f"{ACCOUNT_SID}/{NUMBER}")


def test_two_numbers_of_one_account_are_told_apart() -> None:
    known = directory(FIRST, SECOND, STRANGER)
    assert named(known, message().account) == ["cfg_1"]
    assert named(known, message(To=f"whatsapp:{OTHER_NUMBER}").account) == ["cfg_2"]
    assert named(known, status(From=f"whatsapp:{OTHER_NUMBER}").account) == ["cfg_2"]


def test_one_number_of_two_accounts_is_told_apart() -> None:
    known = directory(FIRST, STRANGER)
    assert named(known, message(AccountSid=OTHER_SID).account) == ["cfg_4"]


def test_a_number_nobody_has_is_not_given_to_another_of_its_account() -> None:
    assert named(directory(FIRST, SECOND), message(To="whatsapp:+14155550177").account) == []


def test_an_account_without_a_number_takes_every_number_of_its_own() -> None:
    known = directory(FIRST, account("cfg_5"))
    assert named(known, message(To="whatsapp:+14155550177").account) == ["cfg_5"]
    assert named(known, message().account) == ["cfg_1"]
    assert named(known, message(AccountSid=OTHER_SID).account) == []


def test_a_messaging_service_names_an_account_where_the_number_does_not() -> None:
    known = directory(FIRST, BY_SERVICE)
    sent = status(From="", MessagingServiceSid=SERVICE_SID, MessageStatus="accepted")
    assert sent.account == AccountKey(SERVICE, f"{ACCOUNT_SID}/{SERVICE_SID}")
    assert named(known, sent.account) == ["cfg_3"]
    assert named(known, message(MessagingServiceSid=SERVICE_SID).account) == ["cfg_1"]
    other = message(To="whatsapp:+14155550177", MessagingServiceSid=SERVICE_SID)
    assert named(known, other.account) == ["cfg_3"]


def test_a_callback_without_any_number_is_for_any_number_of_the_account() -> None:
    sent = status(From="", MessageStatus="accepted")
    assert sent.account == AccountKey(ACCOUNT, ACCOUNT_SID)
    assert named(directory(FIRST, SECOND, STRANGER), sent.account) == ["cfg_1", "cfg_2"]
    unknown_service = status(From="", MessagingServiceSid="MG" + "0" * 32, MessageStatus="accepted")
    assert named(directory(FIRST, STRANGER), unknown_service.account) == ["cfg_1"]


def test_without_an_account_sid_the_account_that_verified_is_meant() -> None:
    assert message(AccountSid=None).account is None


@pytest.mark.parametrize("spelled", [NUMBER, f"whatsapp:{NUMBER}", f"WhatsApp:{NUMBER}", "whatsapp: 1 415 555 0100"])
def test_the_sender_is_named_alike_however_it_was_entered(spelled: str) -> None:
    assert AccountKey(SENDER, f"{ACCOUNT_SID}/{NUMBER}") in set(
        PROVIDER.account_keys(account("x", phoneNumber=spelled))
    )


def test_an_account_without_sid_has_no_name() -> None:
    assert list(PROVIDER.account_keys(Account(id="x", provider="twilio", fields={}, secrets={}))) == []


def test_an_account_with_a_number_does_not_take_other_numbers() -> None:
    kinds = {key.kind for key in PROVIDER.account_keys(KIT.account("t"))}
    assert kinds == {ACCOUNT, SENDER, SERVICE}
    assert {key.kind for key in PROVIDER.account_keys(account("x"))} == {ACCOUNT, ANY_SENDER}


def field(flag: str) -> FormField:
    return next(one for one in PROVIDER.form if one.flag == flag)


@pytest.mark.parametrize(
    ("entered", "stored"),
    [
        ("whatsapp:+447700900123", "+447700900123"),
        ("+44 7700 900123", "+447700900123"),
        (" whatsapp:447700900123 ", "+447700900123"),
        ("whatsapp:GB.123", None),
        ("no number", None),
        ("", None),
    ],
)
def test_the_sender_is_stored_as_e164(entered: str, stored: str | None) -> None:
    clean = field("--from").clean
    assert clean is not None
    assert clean(entered) == stored


def test_the_form_is_what_the_contract_says() -> None:
    shape = {one.flag: (one.name, one.secret, one.required) for one in PROVIDER.form}
    assert shape["--account-sid"] == ("accountSid", False, True)
    assert shape["--auth-token"] == ("authToken", True, True)
    assert shape["--from"] == ("phoneNumber", False, False)
    assert shape["--messaging-service-sid"] == ("messagingServiceSid", False, False)
    assert PROVIDER.webhook_secret_field == "authToken"
    assert PROVIDER.service_window == timedelta(hours=24)


@pytest.mark.parametrize("parameters", [MESSAGE, STATUS, {**STATUS, "From": "", "MessagingServiceSid": SERVICE_SID}])
def test_the_hint_is_the_key_of_the_event(parameters: dict[str, str]) -> None:
    (event,) = parse(parameters)
    assert PROVIDER.hinted_keys(post(parameters)) == {event.account}


def test_an_unknown_number_hints_at_all_of_its_account_and_nobody_else() -> None:
    known = directory(FIRST, SECOND, STRANGER)
    keys = PROVIDER.hinted_keys(post({**MESSAGE, "To": "whatsapp:+14155550177"}))
    candidates = known.candidates(PROVIDER, account_id=None, keys=keys)
    assert [one.id for one in candidates] == ["cfg_1", "cfg_2"]


def test_json_is_hinted_too() -> None:
    body = b'{"AccountSid" : "%s", "To": "whatsapp:%s"}' % (ACCOUNT_SID.encode(), NUMBER.encode())
    assert PROVIDER.hinted_keys(post_json(body)) == {AccountKey(SENDER, f"{ACCOUNT_SID}/{NUMBER}")}


def test_a_body_without_an_account_hints_at_nobody() -> None:
    for request in (post(b""), post(b"Body=AccountSid=AC1"), post_json(b"[]"), post_json(b'{"a":"\\"AccountSid\\""}')):
        assert PROVIDER.hinted_keys(request) == frozenset()


@settings(max_examples=200, deadline=None, database=None)
@given(body=st.binary(max_size=80) | st.binary(max_size=40).map(lambda tail: b"AccountSid=AC1&To=" + tail))
def test_hinting_is_total(body: bytes) -> None:
    for request in (post(body), post_json(body)):
        assert isinstance(PROVIDER.hinted_keys(request), frozenset)


def test_a_request_is_recognised_by_the_signature_header() -> None:
    assert PROVIDER.recognises(KIT.sign(KIT.encode(MESSAGE), "token"))
    assert not PROVIDER.recognises(post(MESSAGE))


def test_messages_and_callbacks_are_answered_with_a_twiml_that_says_nothing() -> None:
    """Plain text in an answer would be sent to the customer as a reply."""
    answer = PROVIDER.acknowledge()
    assert answer.status == 200
    assert answer.content_type.startswith("text/xml")
    document = ET.fromstring(answer.body)
    assert (document.tag, len(document), document.text) == ("Response", 0, None)


def test_forms_and_json_are_accepted() -> None:
    assert PROVIDER.content_types == {FORM, "application/json"}


def test_the_idempotency_token_is_kept_and_the_signature_is_not() -> None:
    kept = KIT.delivery(KIT.sign(KIT.encode(MESSAGE), "token")).headers
    assert "i-twilio-idempotency-token" in kept
    assert not [name for name in kept if "signature" in name or "authorization" in name]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("mid=msg_01abc", "mid=msg_01abc"),
        ("tenant=7&mid=msg_01abc&token=s3cret", "mid=msg_01abc"),
        ("mid=msg_01abc&bodySHA256=00", "mid=msg_01abc"),
        ("mid=a&mid=b", "mid=a"),
        ("mid=%24where", ""),
        ("mid=", ""),
        ("mid=" + "a" * 65, ""),
        ("token=s3cret", ""),
        ("", ""),
        ("&" * 2000, ""),
    ],
)
def test_only_our_own_id_is_kept_of_the_query(query: str, kept: str) -> None:
    target = f"/api/whatsapp/webhooks/twilio?{query}"
    assert PROVIDER.kept_query(post(STATUS, target=target)) == kept
