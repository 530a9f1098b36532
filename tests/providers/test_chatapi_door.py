"""ChatAPI at the door: where the secret may stand, whom a body is for, what is recognised."""

import json
from collections.abc import Mapping
from urllib.parse import quote

import pytest

from providers import registry
from providers.base import JSON, Account, WebhookRequest
from providers.chatapi import PROVIDER
from providers.directory import index
from providers.events import AccountKey
from runtime.crypto import Secret
from tests.fixtures.meta.conformance import KIT as META
from tests.providers.chatapi_bodies import INSTANCE, ack, body, item

PATH = "/api/whatsapp/webhooks/chatapi"
SECRET = "kQ3v9-n7Zr2_u0WfX5tLbA"
KEY = AccountKey("instance_id", INSTANCE)


def account(*ring: str, instance: str = INSTANCE, name: str = "cfg_one") -> Account:
    secrets = {"webhookSecret": tuple(Secret(one) for one in ring)} if ring else {}
    return Account(id=name, provider="chatapi", fields={"instanceId": instance}, secrets=secrets)


def posted(
    target: str = PATH, sent: bytes = body(messages=[item()]), headers: Mapping[str, str] = {}, method: str = "POST"
) -> WebhookRequest:
    return WebhookRequest(method=method, target=target, headers={"content-type": JSON, **headers}, body=sent)


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (f"{PATH}?token={SECRET}", {}),
        (f"{PATH}/cfg_one?secret={SECRET}", {}),
        (f"{PATH}?a=1&token=guess&token={SECRET}", {}),
        (f"{PATH}/cfg_one/{SECRET}", {}),
        (f"{PATH}/cfg_one/{SECRET}/?x=1", {}),
        (PATH, {"x-webhook-token": SECRET}),
        (PATH, {"x-webhook-secret": SECRET}),
        (PATH, {"authorization": f"Bearer {SECRET}"}),
        (PATH, {"authorization": f"bearer  {SECRET}"}),
    ],
)
def test_the_secret_is_taken_from_the_query_the_path_or_a_header(target: str, headers: dict[str, str]) -> None:
    assert PROVIDER.verify(posted(target, headers=headers), account(SECRET))
    assert not PROVIDER.verify(posted(target, headers=headers), account(SECRET[:-1]))


@pytest.mark.parametrize(
    ("target", "headers", "sent"),
    [
        (PATH, {}, body()),
        (f"{PATH}/{SECRET}", {}, body()),
        (f"{PATH}/cfg_one/{SECRET}/more", {}, body()),
        (f"{PATH}?token=", {}, body()),
        (f"{PATH}?xtoken={SECRET}", {}, body()),
        (f"{PATH}?token={SECRET}x", {}, body()),
        (f"{PATH}?{'a=1&' * 16}token={SECRET}", {}, body()),
        (PATH, {"authorization": f"Basic {SECRET}"}, body()),
        (PATH, {"x-hub-signature-256": SECRET}, body()),
        (PATH, {}, body(token=SECRET, secret=SECRET)),
    ],
)
def test_a_secret_anywhere_else_is_none(target: str, headers: dict[str, str], sent: bytes) -> None:
    assert not PROVIDER.verify(posted(target, sent, headers), account(SECRET))


@pytest.mark.parametrize("secret", ["a+b/c==", "50% off", "grüße", "a&b=c", "a b"])
def test_a_secret_with_signs_of_the_url_survives_its_spelling(secret: str) -> None:
    assert PROVIDER.verify(posted(f"{PATH}?token={quote(secret, safe='')}"), account(secret))


@pytest.mark.parametrize("secret", ["a+b", "a b"])
def test_a_plus_sign_means_itself_or_a_space(secret: str) -> None:
    assert PROVIDER.verify(posted(f"{PATH}?token=a+b"), account(secret))


def test_any_secret_of_the_ring_opens_also_among_wrong_ones() -> None:
    for ring in ((SECRET, "older"), ("newer", SECRET)):
        assert PROVIDER.verify(posted(f"{PATH}?token={SECRET}&secret=guess"), account(*ring))
    assert not PROVIDER.verify(posted(f"{PATH}?token="), account("", SECRET))


@pytest.mark.parametrize("target", [f"{PATH}?token=%ff%fe", f"{PATH}?token=\udcff", f"{PATH}/\u0130/%", f"{PATH}?&&=&"])
def test_an_odd_address_is_refused_not_fatal(target: str) -> None:
    assert not PROVIDER.verify(posted(target), account(SECRET, "older"))


def test_the_secret_in_the_address_is_never_kept() -> None:
    request = posted(f"{PATH}/cfg_one/{SECRET}?token={SECRET}", headers={"authorization": f"Bearer {SECRET}"})
    assert SECRET not in PROVIDER.kept_query(request)
    assert not {"authorization", "x-webhook-token", "x-webhook-secret"} & set(PROVIDER.kept_headers)


@pytest.mark.parametrize(
    ("named", "ours"),
    [
        ({"instanceId": INSTANCE}, True),
        ({"instanceId": int(INSTANCE)}, True),
        ({"instanceId": f"instance{INSTANCE}"}, True),
        ({"channelId": int(INSTANCE)}, True),
        ({"instanceId": INSTANCE, "channelId": 1}, True),
        ({}, True),
        ({"instanceId": None}, True),
        ({"instanceId": {"odd": 1}}, True),
        ({"instanceId": "318843"}, False),
        ({"channelId": 463107}, False),
        ({"instanceId": "318843", "channelId": int(INSTANCE)}, False),
    ],
)
def test_the_right_secret_does_not_open_another_instance(named: dict[str, object], ours: bool) -> None:
    request = posted(f"{PATH}/cfg_one?token={SECRET}", json.dumps({"messages": [item()], **named}).encode())
    assert PROVIDER.verify(request, account(SECRET)) is ours


def test_an_escaped_spelling_of_the_key_does_not_hide_the_instance() -> None:
    sent = b'{"instance\\u0049d": "999", "ack": []}'
    assert not PROVIDER.verify(posted(f"{PATH}?token={SECRET}", sent), account(SECRET))


def test_a_broken_body_from_who_knows_the_secret_is_let_in_to_be_recorded() -> None:
    for sent in (b"{", b"", b"[1]", b"\xff"):
        assert PROVIDER.verify(posted(f"{PATH}?token={SECRET}", sent), account(SECRET))


@pytest.mark.parametrize("instance", [INSTANCE, f"instance{INSTANCE}", f" {INSTANCE} "])
def test_an_account_is_named_by_its_instance_however_it_was_copied(instance: str) -> None:
    assert list(PROVIDER.account_keys(account(instance=instance))) == [KEY]
    assert list(PROVIDER.account_keys(Account(id="x", provider="chatapi", fields={}, secrets={}))) == []


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        (PATH, body(ack=[ack()])),
        (PATH, b'{"channelId" : 318842, "ack": []}'),
        (f"{PATH}?instanceId={INSTANCE}", b"{}"),
        (f"{PATH}?token=x&channelId=instance{INSTANCE}", b"not json"),
    ],
)
def test_the_instance_is_hinted_by_the_raw_bytes_and_the_query(target: str, sent: bytes) -> None:
    assert KEY in PROVIDER.hinted_keys(posted(target, sent))


def test_a_text_that_quotes_the_key_is_no_hint() -> None:
    assert PROVIDER.hinted_keys(posted(sent=json.dumps({"body": '"instanceId":"318842"'}).encode())) == frozenset()


def test_one_tenants_secret_does_not_open_anothers_instance_on_the_shared_path() -> None:
    ours, theirs = account(SECRET), account("other", instance="463107", name="cfg_two")
    named = index([ours, theirs], registry.by_names()).by_key
    request = posted(f"{PATH}?token={SECRET}", json.dumps({"ack": [], "channelId": 463107}).encode())
    (key,) = PROVIDER.hinted_keys(request)
    assert [one.id for one in named["chatapi", key]] == ["cfg_two"]
    assert not any(PROVIDER.verify(request, one) for one in (ours, theirs))


@pytest.mark.parametrize(
    "sent", [body(messages=[item()]), body(ack=[ack()]), b'{"chatUpdate":[]}', b'{"accountStatus" : "loading"}']
)
def test_a_body_with_the_protocols_keys_is_recognised(sent: bytes) -> None:
    assert PROVIDER.recognises(posted(sent=sent))


def test_an_empty_test_post_is_recognised_by_its_secret_alone() -> None:
    for sent in (b"{}", b"", b" {}\n"):
        assert PROVIDER.recognises(posted(f"{PATH}?token={SECRET}", sent))
        assert not PROVIDER.recognises(posted(sent=sent))


def test_another_vendors_request_is_not_recognised() -> None:
    mine = body(messages=[item()])
    assert not PROVIDER.recognises(posted(method="GET"))
    assert not PROVIDER.recognises(posted(sent=b'{"hello": "world"}'))
    assert not PROVIDER.recognises(posted(headers={"content-type": "application/x-www-form-urlencoded"}))
    for header in ("x-hub-signature-256", "x-hub-signature", "x-twilio-signature"):
        assert not PROVIDER.recognises(posted(sent=mine, headers={header: "x"}))
    for fixture in META.fixtures():
        assert not PROVIDER.recognises(posted(f"{PATH}?token={SECRET}", META.body(fixture)))


@pytest.mark.parametrize(
    ("sent", "timeless"),
    [
        (b'{"instanceStatus": "got qr code", "instanceId": "318842"}', True),
        (b'{"accountStatus" : "authenticated"}', True),
        (body(chatUpdate=[{"old": None, "new": {"id": "447700900201@c.us", "name": "Jana"}}]), True),
        (body(messages=[item()]), False),
        (body(ack=[ack()]), False),
        (body(ack=[ack()], accountStatus="authenticated"), False),
        (b"{}", False),
        (b"", False),
    ],
)
def test_a_state_without_a_time_may_be_news_another_day(sent: bytes, timeless: bool) -> None:
    assert PROVIDER.is_timeless(posted(sent=sent)) is timeless


def test_no_window_applies_and_there_is_no_handshake() -> None:
    assert PROVIDER.service_window is None
    assert PROVIDER.handshake(posted(f"{PATH}?token={SECRET}", method="GET"), [account(SECRET)]) is None
    assert PROVIDER.acknowledge().status == 200
