"""Sealing: in its place and with our keys it opens, anywhere else it does not; and a secret never shows itself."""

import copy
import dataclasses
import json
import pickle
import traceback
from collections.abc import Callable

import orjson
import pytest
from cryptography.fernet import Fernet

from runtime.crypto import REDACTED, KeyRing, Secret, digest
from runtime.errors import CryptoError, SettingsError

CANARY = "canary-b7f3"
OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))
PLACE = "cfg_1/webhookSecret"


def test_what_was_sealed_opens_in_its_place() -> None:
    ring = KeyRing([OLD])

    token = ring.seal("schlüssel ☎", context=PLACE)

    assert "schlüssel" not in token
    assert ring.open(token, context=PLACE).reveal() == "schlüssel ☎"


def test_the_same_value_is_sealed_differently_each_time() -> None:
    ring = KeyRing([OLD])

    assert ring.seal("s", context=PLACE) != ring.seal("s", context=PLACE)


@pytest.mark.parametrize("elsewhere", ["cfg_2/webhookSecret", "cfg_1/accessToken", "", PLACE + "x", "cfg_1"])
def test_a_ciphertext_moved_to_another_row_or_field_does_not_open(elsewhere: str) -> None:
    ring = KeyRing([OLD])
    token = ring.seal(CANARY, context=PLACE)

    with pytest.raises(CryptoError, match="another place") as refused:
        ring.open(token, context=elsewhere)

    assert CANARY not in str(refused.value)
    with pytest.raises(CryptoError, match="another place"):
        ring.reseal(token, context=elsewhere)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "ключ",
        "\ud800",
        Fernet(OTHER).encrypt(b'["cfg_1/webhookSecret","x"]').decode(),
        Fernet(OLD).encrypt(b"not json").decode(),
        Fernet(OLD).encrypt(b"3").decode(),
        Fernet(OLD).encrypt(b"null").decode(),
        Fernet(OLD).encrypt(b'["one"]').decode(),
        Fernet(OLD).encrypt(b'["a","b","c"]').decode(),
        Fernet(OLD).encrypt(b"\xff").decode(),
    ],
    # The tokens are new in each process, and all processes of a run must name a test alike.
    ids=(
        "empty",
        "nonsense",
        "cyrillic",
        "surrogate",
        "other_key",
        "no_json",
        "number",
        "null",
        "one",
        "three",
        "bytes",
    ),
)
def test_what_we_did_not_seal_does_not_open(token: str) -> None:
    with pytest.raises(CryptoError):
        KeyRing([OLD]).open(token, context=PLACE)


def test_every_flipped_character_of_a_ciphertext_is_noticed() -> None:
    ring = KeyRing([OLD])
    token = ring.seal("s", context=PLACE)
    stripped = token.rstrip("=")
    # The last character before the padding holds bits that stand for nothing.
    for index in range(len(stripped) - 1):
        other = "A" if token[index] != "A" else "B"
        with pytest.raises(CryptoError):
            ring.open(token[:index] + other + token[index + 1 :], context=PLACE)


def test_rotation_opens_the_old_seals_the_new_and_tells_them_apart() -> None:
    before, during, after = KeyRing([OLD]), KeyRing([NEW, OLD]), KeyRing([NEW])
    token = before.seal("s", context=PLACE)

    assert during.open(token, context=PLACE) == Secret("s")
    assert not during.is_current(token)
    again = during.reseal(token, context=PLACE)

    assert during.is_current(again)
    assert after.open(again, context=PLACE) == Secret("s")
    with pytest.raises(CryptoError, match="no key"):
        after.open(token, context=PLACE)
    assert not after.is_current(token)


@pytest.mark.parametrize("keys", [[], ["short"], [OLD, ""], ["ключ"], [OLD[:-2]]])
def test_wrong_keys_are_refused_by_the_variables_name(keys: list[str]) -> None:
    with pytest.raises(SettingsError, match=r"^ENCRYPTION_KEYS: ") as refused:
        KeyRing(keys)

    assert OLD[:-2] not in str(refused.value)


SHOWN: dict[str, Callable[[Secret], str]] = {
    "repr": repr,
    "str": str,
    "format": lambda secret: f"{secret}",
    "f-string": lambda secret: f"{secret}",
    "f-string repr": lambda secret: f"{secret!r}",
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
    "in a list": lambda secret: str([secret]),
    "in a dict": lambda secret: f"{ {secret: secret} }",
    "in a dataclass": lambda secret: repr(dataclasses.make_dataclass("Row", ["value"])(secret)),
    "json by str": lambda secret: json.dumps({"s": secret}, default=str),
    "orjson by str": lambda secret: orjson.dumps({"s": secret}, default=str).decode(),
    "an exception's arguments": lambda secret: "".join(traceback.format_exception(ValueError(secret))),
}


@pytest.mark.parametrize("way", SHOWN)
def test_a_secret_shows_only_that_it_is_one(way: str) -> None:
    shown = SHOWN[way](Secret(CANARY))

    assert CANARY not in shown
    assert REDACTED in shown


CARRIED: dict[str, Callable[[Secret], object]] = {
    "json": lambda secret: json.dumps({"s": secret}),
    "orjson": lambda secret: orjson.dumps({"s": secret}),
    "pickle": pickle.dumps,
    "pickle of old": lambda secret: pickle.dumps(secret, protocol=0),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "asdict": lambda secret: dataclasses.asdict(dataclasses.make_dataclass("Row", ["value"])(secret)),
    "vars": vars,
    "width": lambda secret: f"{secret:>10}",
    "concatenation": lambda secret: "x" + secret,  # type: ignore[operator]
    "iteration": lambda secret: [*secret],  # type: ignore[misc]
}


@pytest.mark.parametrize("way", CARRIED)
def test_a_secret_is_not_carried_away_by_accident(way: str) -> None:
    with pytest.raises(TypeError) as refused:
        CARRIED[way](Secret(CANARY))

    assert CANARY not in str(refused.value)


def test_a_secret_is_equal_to_its_like_and_to_no_string() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert {Secret("a"), Secret("a")} == {Secret("a")}
    assert (bool(Secret("a")), bool(Secret(""))) == (True, False)


@pytest.mark.parametrize("other", ["", "tokem", "token ", "tökén", "\ud800", "token" * 1000])
def test_comparing_is_total_whatever_was_presented(other: str) -> None:
    assert Secret("token").matches("token")
    assert not Secret("token").matches(other)


def test_a_digest_is_sha256_in_hex() -> None:
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
