"""What gets into a log and what does not: canaries under every name, in every shape, from every side."""

import contextlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from runtime.crypto import REDACTED, Secret
from runtime.errors import CryptoError
from runtime.logs import (
    bound_contextvars,
    clear_contextvars,
    configure_logs,
    context_to_carry,
    describe,
    logger,
    scrub,
)
from tests.support.quiet import quiet

CANARY = "canary-9c41"
PHONE = "447700900381"
#: A token of a vendor: long, without a name in front of it.
LONG_TOKEN = "EAAB" + "q7Zk2" * 20


class Written(io.StringIO):
    """Everything the process logs, as it would stand on stderr."""

    def configure(self, level: str = "INFO", style: str = "json") -> None:
        with contextlib.redirect_stderr(self):
            configure_logs(level=level, style=style)


@pytest.fixture
def written() -> Iterator[Written]:
    stderr = Written()
    stderr.configure()
    yield stderr
    clear_contextvars()
    quiet()


def last(written: Written) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written.getvalue().splitlines()[-1])
    return found


def test_an_event_is_one_line_of_json_with_its_fields(written: Written) -> None:
    logger("ours").info("message_stored", chat_id="chat_1", count=3, ratio=0.5, missing=None, done=True)

    line = last(written)
    assert {**line, "timestamp": ""} == {
        "event": "message_stored",
        "chat_id": "chat_1",
        "count": 3,
        "ratio": 0.5,
        "missing": None,
        "done": True,
        "level": "info",
        "logger": "ours",
        "timestamp": "",
    }
    assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None


#: Names under which values hide, in the spellings of Python, documents, headers and vendors.
NAMES = {
    *("access_token", "accessToken", "api_key", "Authorization", "authToken", "body", "caption", "challenge", "cookie"),
    *("customer_name", "email", "encryption_keys", "from_", "headers", "hub.verify_token", "mongodb_uri", "name"),
    *("password", "payload", "phone", "phone_number", "phones", "query", "raw_body", "redis_url", "recipient_id"),
    *("secret", "sender", "signature", "text", "to", "token", "url", "username", "verify_token", "wa_id", "profile"),
    *("webhookSecret", "X-Hub-Signature-256", "X-Twilio-Signature", "displayPhoneNumber"),
}
SHAPES: dict[str, Callable[[str], Any]] = {
    "text": str,
    "list": lambda value: [value],
    "object": lambda value: {"inner": value},
    "bytes": str.encode,
    "number": lambda _: 447,
}


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_shown_under_a_sensitive_name(name: str, shape: str, written: Written) -> None:
    hidden = {name: SHAPES[shape](CANARY)}

    logger("ours").info("x", **hidden, nested=hidden, deep=[{"a": hidden}])

    line = last(written)
    assert line[name] == line["nested"][name] == line["deep"][0]["a"][name] == REDACTED
    assert CANARY not in written.getvalue()


@dataclass
class Request:
    """Something whose own words would show everything."""

    body: str = CANARY


class Word(StrEnum):
    """A closed vocabulary."""

    SENT = "sent"


def test_values_are_shown_by_kind_and_objects_only_named(written: Written) -> None:
    shown = {"a": Word.SENT, "b": datetime(2026, 1, 2, tzinfo=UTC), "c": timedelta(1), "d": Path("/x"), "e": {1: 2}}
    named = {"g": Request(), "h": Secret(CANARY), "i": CANARY.encode(), "j": [Request()], "k": Request}

    logger("ours").info("x", **shown, f={"s"}, **named)

    line = last(written)
    assert [line[key] for key in "abc"] == ["sent", "2026-01-02 00:00:00+00:00", "1 day, 0:00:00"]
    assert [line[key] for key in "def"] == ["/x", {"1": 2}, ["s"]]
    assert [line[key] for key in "ghijk"] == ["<Request>", REDACTED, "<bytes>", ["<Request>"], "<type>"]
    assert CANARY not in written.getvalue()


FREE_TEXT = [
    (f"to {PHONE}", f"to {REDACTED}"),
    (f"to {PHONE}.", f"to {REDACTED}."),
    (f"+{PHONE}, then", f"{REDACTED}, then"),
    ("+44 7700 900381 rang", f"{REDACTED} rang"),
    ("+1 (555) 010-0199", REDACTED),
    (f"whatsapp:+{PHONE}", f"whatsapp:{REDACTED}"),
    (f"{{'from': '{PHONE}'}}", f"{{'from': '{REDACTED}'}}"),
    (f"wa.me/{PHONE}", f"wa.me/{REDACTED}"),
    (f"_{PHONE}_", f"_{REDACTED}_"),
    ("mongodb://user:pass@host/db", f"mongodb://{REDACTED}@host/db"),
    ("GET /x?hub.verify_token=abc&x=1", f"GET /x?hub.verify_token={REDACTED}&x=1"),
    ("Authorization: Bearer abc.def", f"Authorization: Bearer {REDACTED}"),
    ('{"access_token": "abc"}', f'{{"access_token": "{REDACTED}"}}'),
    (f"sent with {LONG_TOKEN}", f"sent with {REDACTED}"),
    ("sha256=" + "a1" * 8, f"sha256={REDACTED}"),
]
HARMLESS = [
    "2026-11-22T10:00:00.123456+00:00 took 0.12345678901 s on 127.0.0.1:27017",
    "evt_01m82aayk7cd8g3mp55kpzd13k of cfg_01m82aayk7cd8g3mp55kpzd13k, generation 12345",
    "a_function_with_a_long_and_telling_name_indeed_without_digits",
]


@pytest.mark.parametrize(("text", "clean"), FREE_TEXT)
def test_free_text_loses_numbers_and_credentials_and_nothing_else(text: str, clean: str) -> None:
    assert scrub(text) == clean


@pytest.mark.parametrize("text", HARMLESS)
def test_free_text_keeps_ids_times_and_addresses(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize("control", ["\r\n", "\n", "\r", "\x1b[31m", "\x00", "\x85", "\u2028", "\u2029", "\x9b"])
def test_nobody_writes_a_second_line_or_steers_the_terminal(control: str, written: Written) -> None:
    logger("ours").info("a" + control + "b", field="a" + control + "b")
    logging.getLogger("theirs").warning("%s", "a" + control + "b")

    assert len(written.getvalue().splitlines()) == 2
    for line in written.getvalue().split("\n")[:2]:
        assert not any(character < " " or "\x7f" <= character <= "\x9f" for character in line)


def test_an_exception_tells_its_type_and_place_and_not_what_it_says(written: Written) -> None:
    try:
        try:
            int(f"{CANARY} {PHONE}")
        except ValueError as error:
            raise KeyError(CANARY) from error
    except KeyError as error:
        logger("ours").error("x", exc_info=True, error=error)

    line = last(written)
    assert line["exception"] == line["error"]
    assert line["exception"].startswith("KeyError at test_logs.py:")
    assert " <- ValueError at test_logs.py:" in line["exception"]
    assert CANARY not in written.getvalue()
    assert PHONE not in written.getvalue()


def test_our_own_exceptions_speak_but_not_of_numbers(written: Written) -> None:
    try:
        raise CryptoError(f"cannot open the secret of cfg_1 for {PHONE}")
    except CryptoError:
        logger("ours").exception("x")

    assert f"CryptoError: cannot open the secret of cfg_1 for {REDACTED} at " in last(written)["exception"]


def test_at_level_debug_exceptions_speak_scrubbed(written: Written) -> None:
    written.configure(level="DEBUG")
    said = describe(ValueError(f"bad thing {PHONE} token={CANARY}"))

    assert said == f"ValueError: bad thing {REDACTED} token={REDACTED}"


def test_a_chain_of_causes_without_end_is_told_in_part() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first

    assert describe(first) == "ValueError <- KeyError <- ValueError <- KeyError <- ValueError"


@pytest.mark.parametrize("style", ["json", "console"])
def test_foreign_logs_pass_the_same_filter(style: str, written: Written) -> None:
    written.configure(style=style)
    theirs = logging.getLogger("theirs")
    try:
        raise RuntimeError(CANARY)
    except RuntimeError:
        theirs.exception("failed for %s with token=%s", PHONE, CANARY)
    theirs.warning("%s", {"password": CANARY, "to": PHONE})

    text = written.getvalue()
    assert "RuntimeError at test_logs.py" in text
    assert text.count(REDACTED) >= 3
    assert CANARY not in text
    assert PHONE not in text


@pytest.mark.parametrize("style", ["json", "console"])
def test_our_logs_keep_the_canary_out_in_either_style(style: str, written: Written) -> None:
    written.configure(style=style)
    with bound_contextvars(text=CANARY, request_id="req_1"):
        try:
            raise RuntimeError(CANARY)
        except RuntimeError:
            logger("ours").exception("x %s", PHONE, to=PHONE, secret=Secret(CANARY), extra=[{"body": CANARY}])

    text = written.getvalue()
    assert "req_1" in text
    assert "RuntimeError at test_logs.py" in text
    assert CANARY not in text
    assert PHONE not in text


@pytest.mark.parametrize("library", ["pymongo", "pymongo.command", "urllib3.connectionpool", "dramatiq", "apscheduler"])
def test_libraries_never_tell_what_they_send(library: str, written: Written) -> None:
    written.configure(level="DEBUG")

    logging.getLogger(library).info("%s", CANARY)
    logging.getLogger(library).debug("%s", CANARY)

    assert written.getvalue() == ""


def test_only_correlation_travels_with_a_job() -> None:
    with bound_contextvars(request_id="req_1", event_id="evt_1", agent_id="agt_1", text=CANARY):
        carried = context_to_carry()

    assert carried == {"request_id": "req_1", "event_id": "evt_1"}
    assert context_to_carry() == {}
