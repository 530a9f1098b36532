"""The door: how a body is read, and which error becomes which answer."""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ingest.door import read_body
from runtime.errors import TooLarge, Unparseable
from tests.support import meta_webhooks as meta
from tests.support.street import PATH, Street

LIMIT = 100
#: What no answer to a refused request may hold.
TELLTALES = (meta.SECRET, meta.VERIFY_TOKEN, "Traceback", ".py", "HooklineError", "hookline.")


class Watched(io.BytesIO):
    """A body that tells how much of it was read."""

    asked = 0

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        self.asked += len(found)
        return found


def environ(body: bytes = b"", **told: str) -> dict[str, Any]:
    return {"wsgi.input": Watched(body), **told}


@pytest.mark.parametrize("length", [0, 1, LIMIT - 1, LIMIT])
def test_a_body_up_to_the_limit_is_read_whole(length: int) -> None:
    body = b"x" * length

    assert read_body(environ(body, CONTENT_LENGTH=str(length)), LIMIT) == body
    assert read_body(environ(body, HTTP_TRANSFER_ENCODING="chunked"), LIMIT) == body
    assert read_body(environ(body), LIMIT) == body


@pytest.mark.parametrize("length", [LIMIT + 1, LIMIT + 2, 10_000])
def test_a_body_beyond_the_limit_is_never_read_beyond_one_byte_more(length: int) -> None:
    announced, chunked, bare = (
        environ(b"x" * length, CONTENT_LENGTH=str(length)),
        environ(b"x" * length, HTTP_TRANSFER_ENCODING="chunked"),
        environ(b"x" * length),
    )
    for one in (announced, chunked, bare):
        with pytest.raises(TooLarge):
            read_body(one, LIMIT)

    assert [one["wsgi.input"].asked for one in (announced, chunked, bare)] == [0, LIMIT + 1, LIMIT + 1]


@pytest.mark.parametrize(
    "announced", ["-1", "+5", "5.0", "five", "0x5", " 5", "5 5", "5,5", "²", "５", "9" * 5000, "1e2"]
)
def test_a_length_that_is_no_number_is_not_parseable(announced: str) -> None:
    with pytest.raises(Unparseable):
        read_body(environ(b"x" * 5, CONTENT_LENGTH=announced), LIMIT)


def test_a_length_announced_in_two_ways_is_not_parseable() -> None:
    with pytest.raises(Unparseable):
        read_body(environ(b"x" * 5, CONTENT_LENGTH="5", HTTP_TRANSFER_ENCODING="chunked"), LIMIT)


@pytest.mark.parametrize(("announced", "sent"), [("6", b"x" * 5), ("4", b"x" * 5), ("1", b"")])
def test_a_body_of_another_length_than_announced_is_not_parseable(announced: str, sent: bytes) -> None:
    with pytest.raises(Unparseable):
        read_body(environ(sent, CONTENT_LENGTH=announced), LIMIT)


BODY = meta.envelope(meta.text("at the door"))
SIGNATURE = "X-Hub-Signature-256"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A request that is refused, and how: by default a webhook signed well, sent to the right address."""

    status: int
    code: str | None = None
    method: str = "POST"
    path: str = PATH
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = BODY


def unsigned(signature: str, **other: str) -> Refusal:
    return Refusal(status=401, code="invalid_signature", headers={SIGNATURE: signature, **other})


def mistyped(**headers: str) -> Refusal:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refusal(status=415, code="unsupported_media_type", headers=told)


def unshaken(status: int, query: str, path: str = PATH) -> Refusal:
    return Refusal(status=status, method="GET", path=f"{path}?{query}", body=b"")


def _shake(token: str) -> str:
    return f"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}"


REFUSALS = {
    "no signature": unsigned(""),
    "legacy signature only": unsigned("", **{"X-Hub-Signature": "sha1=" + "a" * 40}),
    "short signature": unsigned("sha256=ab"),
    "signature of another algorithm": unsigned("sha1=" + "a" * 64),
    "signature beyond ascii": unsigned("sha256=ÿé"),
    "signature of another body": unsigned(meta.signature(BODY + b" ")),
    "signature of another secret": unsigned(meta.signature(BODY, "0" * 32)),
    "signature of no secret": unsigned(meta.signature(BODY, "")),
    "unknown account": Refusal(status=401, code="invalid_signature", path=f"{PATH}/cfg_nobody"),
    "bare path, nobody's": Refusal(
        status=400, code="bad_request", path="/api/whatsapp/webhooks", headers={SIGNATURE: ""}
    ),
    "unknown vendor": Refusal(status=404, code="not_found", path="/api/whatsapp/webhooks/acme"),
    "too deep a path": Refusal(status=404, code="not_found", path=f"{PATH}/cfg_1/more"),
    "no type": mistyped(Content_Type=""),
    "another type": mistyped(Content_Type="text/plain"),
    "a type by prefix": mistyped(Content_Type="application/jsonx"),
    "compressed": mistyped(Content_Encoding="gzip"),
    "compressed twice": mistyped(Content_Encoding="identity, gzip"),
    "too large": Refusal(status=413, code="too_large", body=b"x" * (4 * 1024 * 1024 + 1)),
    "PUT": Refusal(status=405, method="PUT"),
    "DELETE": Refusal(status=405, method="DELETE", body=b""),
    "HEAD": Refusal(status=405, method="HEAD", body=b""),
    "handshake without words": unshaken(400, ""),
    "handshake of a stranger": unshaken(403, _shake("guess")),
    "handshake of another mode": unshaken(403, _shake(meta.VERIFY_TOKEN).replace("subscribe", "unsubscribe")),
    "handshake for an unknown account": unshaken(403, _shake(meta.VERIFY_TOKEN), f"{PATH}/cfg_nobody"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_has_its_answer_stores_nothing_and_gives_nothing_away(name: str, receiver: Street) -> None:
    refusal = REFUSALS[name]
    told = {name: value for name, value in {**meta.headers(refusal.body), **refusal.headers}.items() if value}

    answer = receiver.client.open(refusal.path, method=refusal.method, data=refusal.body, headers=told)

    assert answer.status_code == refusal.status, answer.text
    if refusal.code is not None:
        error = answer.get_json()["error"]
        assert set(error) == {"code", "message", "requestId"}
        assert error["code"] == refusal.code
        assert len(error["requestId"]) == 32
    genuine = meta.signature(refusal.body).removeprefix("sha256=")
    for telltale in (*TELLTALES, genuine, *(value for value in refusal.headers.values() if len(value) > 20)):
        assert telltale not in answer.text
        assert telltale not in str(answer.headers)
    assert receiver.rows() == []


def test_what_may_be_done_is_told_with_a_405(receiver: Street) -> None:
    assert receiver.client.put(PATH).headers["Allow"] == "GET, POST"


def test_an_unknown_account_and_a_wrong_signature_look_the_same(receiver: Street) -> None:
    wrong = receiver.post(BODY, secret="0" * 32).get_json()["error"]
    unknown = receiver.post(BODY, path=f"{PATH}/cfg_nobody").get_json()["error"]

    assert {**wrong, "requestId": ""} == {**unknown, "requestId": ""}


def every_flip(body: bytes, step: int) -> Iterator[bytes]:
    for index in range(0, len(body), step):
        flipped = bytearray(body)
        flipped[index] ^= 1 << index % 8
        yield bytes(flipped)


def test_one_flipped_bit_of_the_body_or_the_signature_is_401(receiver: Street) -> None:
    signature = meta.signature(BODY)

    answers = [
        receiver.post(body, headers={"X-Hub-Signature-256": signature}).status_code for body in every_flip(BODY, 7)
    ]
    for index, character in enumerate(signature):
        altered = signature[:index] + ("0" if character != "0" else "1") + signature[index + 1 :]
        answers.append(receiver.post(BODY, headers={"X-Hub-Signature-256": altered}).status_code)

    assert set(answers) == {401}
    assert len(answers) > 100
    assert receiver.rows() == []


def test_the_same_json_written_differently_is_401(receiver: Street) -> None:
    rewritten = json.dumps(json.loads(BODY), separators=(",", ":")).encode()

    assert receiver.post(rewritten, headers={"X-Hub-Signature-256": meta.signature(BODY)}).status_code == 401


def test_a_genuine_webhook_is_acknowledged_in_the_vendors_words(receiver: Street) -> None:
    answer = receiver.post(BODY)

    assert (answer.status_code, answer.text, answer.mimetype) == (200, "EVENT_RECEIVED", "text/plain")
    (row,) = receiver.rows()
    assert row["rawBody"] == BODY
    assert row["status"] == "pending"


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_the_vendors_type_is_taken_in_any_spelling(content_type: str, receiver: Street) -> None:
    assert receiver.post(BODY, headers={"Content-Type": content_type}).status_code == 200


@pytest.mark.parametrize("path", [PATH, f"{PATH}/", "/api/whatsapp/webhooks", f"{PATH}?utm=1"])
def test_every_address_of_the_vendor_is_taken(path: str, receiver: Street) -> None:
    assert receiver.post(BODY, path=path).status_code == 200


@pytest.mark.parametrize("path", ["/api/whatsapp/webhooksx", "/api/whatsapp", "/", "/static/x", "/api/whatsapp/chats"])
def test_other_paths_are_not_the_doors(path: str, receiver: Street) -> None:
    assert receiver.post(BODY, path=path).status_code == 404


def test_the_handshake_echoes_the_challenge_as_text(receiver: Street) -> None:
    query = _shake(meta.VERIFY_TOKEN)

    for path in (PATH, "/api/whatsapp/webhooks", f"{PATH}/{receiver.services.account.id}"):
        answer = receiver.client.get(f"{path}?{query}")
        assert (answer.status_code, answer.text, answer.mimetype) == (200, "1158201444", "text/plain")


@pytest.mark.parametrize("challenge", ["<script>", "a b", "x" * 257, "", "é"])
def test_a_challenge_that_could_be_markup_is_not_echoed(challenge: str, receiver: Street) -> None:
    parameters = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": meta.VERIFY_TOKEN}

    answer = receiver.client.get(PATH, query_string=parameters)

    assert answer.status_code == 400
    assert answer.data == b""


def test_an_error_nobody_foresaw_is_500_and_silent(receiver: Street) -> None:
    """A request without a body to read: whatever breaks, the answer says nothing of it."""
    answers: list[str] = []

    def start_response(status: str, _headers: Any, _error: Any = None) -> Any:
        answers.append(status)

    body = b"".join(receiver.client.application({"REQUEST_METHOD": "POST", "PATH_INFO": PATH}, start_response))

    assert answers == ["500 Internal Server Error"]
    assert json.loads(body)["error"]["message"] == "internal error"
    assert b"KeyError" not in body
