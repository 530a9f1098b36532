"""Meta at the door: recognition, hints, account names, the handshake, the acknowledgement."""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from providers.base import JSON, Account, WebhookRequest
from providers.events import AccountKey
from providers.meta import PROVIDER
from runtime.crypto import Secret
from tests.fixtures.meta.conformance import KIT
from tests.providers.envelopes import NUMBER_ID, WABA, change, envelope, message

TOKEN = "s3ab1rd-verify"
CHALLENGE = "1158201444"


def account(*tokens: str) -> Account:
    ring = {"webhookVerifyToken": tuple(Secret(token) for token in tokens)} if tokens else {}
    return Account(id="cfg", provider="meta-whatsapp", fields={}, secrets=ring)


def asked(query: str, method: str = "GET") -> WebhookRequest:
    return WebhookRequest(method=method, target=f"/api/whatsapp/webhooks/meta?{query}", headers={}, body=b"")


def handshake(query: str, *accounts: Account) -> tuple[int, bytes]:
    answer = PROVIDER.handshake(asked(query), accounts)
    assert answer is not None
    return answer.status, answer.body


def query(token: str = TOKEN, challenge: str = CHALLENGE, mode: str = "subscribe") -> str:
    return urlencode({"hub.mode": mode, "hub.challenge": challenge, "hub.verify_token": token})


def test_the_documented_handshake_is_answered_as_documented() -> None:
    vector = json.loads((Path(KIT.folder) / "verify_get_request.json").read_text())
    right = urlencode(vector["request"]["query"])
    wrong = urlencode({**vector["request"]["query"], "hub.verify_token": "guess"})
    known = account(vector["request"]["query"]["hub.verify_token"])
    for sent, said in ((right, vector["response_ok"]), (wrong, vector["response_wrong_token"])):
        assert handshake(sent, known) == (said["status"], said["body"].encode())


def test_the_challenge_is_echoed_as_plain_text() -> None:
    answer = PROVIDER.handshake(asked(query()), [account(TOKEN)])
    assert answer is not None
    assert (answer.status, answer.body) == (200, CHALLENGE.encode())
    assert answer.content_type.startswith("text/plain")


def test_any_accounts_token_opens_also_an_older_one_of_its_ring() -> None:
    accounts = (account("another"), account(), account("newer", TOKEN))
    assert handshake(query(), *accounts) == (200, CHALLENGE.encode())


@pytest.mark.parametrize("token", ["", "s3ab1rd", TOKEN + "x", TOKEN.upper(), "é" * 13, "\x00"])
def test_a_wrong_token_is_answered_403_with_nothing(token: str) -> None:
    assert handshake(query(token=token), account(TOKEN)) == (403, b"")


def test_an_account_without_a_token_lets_nobody_in() -> None:
    assert handshake(query(token=""), account()) == (403, b"")
    assert handshake(query(token=""), account("")) == (403, b"")
    assert handshake(query()) == (403, b"")


def test_another_mode_is_answered_403() -> None:
    assert handshake(query(mode="unsubscribe"), account(TOKEN)) == (403, b"")


@pytest.mark.parametrize("challenge", ["", "a b", "<script>", "1\n2", "é", "x" * 257, "１２"])
def test_a_challenge_that_is_no_plain_word_is_answered_400(challenge: str) -> None:
    assert handshake(query(challenge=challenge), account(TOKEN)) == (400, b"")


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "hub.mode=subscribe",
        f"hub.mode=subscribe&hub.verify_token={TOKEN}",
        f"hub.mode=subscribe&hub.challenge={CHALLENGE}",
        f"hub.challenge={CHALLENGE}&hub.verify_token={TOKEN}",
        f"hub_mode=subscribe&hub_challenge={CHALLENGE}&hub_verify_token={TOKEN}",
        f"{query()}&hub.verify_token=other",
        f"{query()}&hub.challenge=2",
        query() + "&a=1" * 100,
        "%FF%FE&&&===",
    ],
)
def test_a_malformed_handshake_is_answered_400(malformed: str) -> None:
    assert handshake(malformed, account(TOKEN)) == (400, b"")


def test_the_longest_challenge_and_an_encoded_query_are_accepted() -> None:
    assert handshake(query(challenge="aZ0_-" * 51 + "x"), account(TOKEN))[0] == 200
    assert handshake(query(challenge="a.b+c/d=="), account(TOKEN)) == (200, b"a.b+c/d==")
    assert handshake(query().replace(".", "%2E"), account(TOKEN))[0] == 200


def test_only_a_get_is_a_handshake() -> None:
    assert PROVIDER.handshake(asked(query(), method="POST"), [account(TOKEN)]) is None


@pytest.mark.parametrize(
    ("method", "target", "headers", "recognised"),
    [
        ("POST", "/", {"content-type": JSON, "x-hub-signature-256": "sha256=…"}, True),
        ("POST", "/", {"content-type": f"{JSON}; charset=utf-8", "x-hub-signature": "sha1=…"}, True),
        ("POST", "/", {"content-type": "application/x-www-form-urlencoded", "x-hub-signature-256": "…"}, False),
        ("POST", "/", {"content-type": JSON}, False),
        ("POST", "/?hub.mode=subscribe", {"content-type": JSON}, False),
        ("GET", "/?hub.mode=subscribe&hub.challenge=1", {}, True),
        ("GET", "/?a=1&hub%2Emode=subscribe", {}, True),
        ("GET", "/?xhub.mode=subscribe", {}, False),
        ("GET", "/", {"x-hub-signature-256": "sha256=…"}, False),
    ],
)
def test_recognition_goes_by_the_header_or_the_handshake(
    method: str, target: str, headers: dict[str, str], recognised: bool
) -> None:
    assert PROVIDER.recognises(WebhookRequest(method, target, headers, b"")) is recognised


def hints(body: bytes) -> frozenset[AccountKey]:
    return PROVIDER.hinted_keys(WebhookRequest("POST", "/", {}, body))


def number(value: str) -> AccountKey:
    return AccountKey("phone_number_id", value)


def test_all_phone_number_ids_are_hinted_however_the_json_is_spaced() -> None:
    body = b'{"phone_number_id":"1"} {"phone_number_id" :\r\n "2"} {"phone_number_id":"1"}'
    assert hints(body) == {number("1"), number("2")}


def test_a_phone_number_id_within_a_message_text_is_no_hint() -> None:
    spoof = envelope(change(messages=[message(text={"body": '{"phone_number_id":"666"}'})]))
    assert hints(json.dumps(spoof).encode()) == {number(NUMBER_ID)}


def test_business_accounts_are_hinted_only_where_no_number_is_named() -> None:
    body = json.dumps({"entry": [{"id": WABA, "changes": [{"value": {"waba_info": {"waba_id": "77"}}}]}]}).encode()
    assert hints(body) == {AccountKey("business_account_id", WABA), AccountKey("business_account_id", "77")}


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b'"phone_number_id"', b'"phone_number_id":17', b'"id":"x"'])
def test_hinting_is_total_and_may_find_nothing(body: bytes) -> None:
    assert hints(body) == frozenset()


def test_hints_are_bounded() -> None:
    body = b"".join(b'{"phone_number_id":"%d"}' % one for one in range(5_000))
    assert len(hints(body)) == 1_000


def test_an_account_goes_by_its_number_id_its_business_account_and_its_digits_within_that() -> None:
    fields = {"phoneNumberId": NUMBER_ID, "businessAccountId": WABA, "phoneNumber": "+1 555-019-2744"}
    keys = PROVIDER.account_keys(Account(id="a", provider="meta-whatsapp", fields=fields, secrets={}))
    assert set(keys) == {
        number(NUMBER_ID),
        AccountKey("business_account_id", WABA),
        AccountKey("display_phone_number", f"{WABA}/15550192744"),
    }


def test_without_a_business_account_a_number_goes_by_its_id_alone() -> None:
    fields = {"phoneNumberId": NUMBER_ID, "phoneNumber": "+15550192744"}
    keys = PROVIDER.account_keys(Account(id="a", provider="meta-whatsapp", fields=fields, secrets={}))
    assert set(keys) == {number(NUMBER_ID)}


def test_a_stored_delivery_is_acknowledged_as_meta_expects() -> None:
    assert (PROVIDER.acknowledge().status, PROVIDER.acknowledge().body) == (200, b"EVENT_RECEIVED")
