"""Updates that waited: each once, none held up by another, and at a bounded cost however many wait."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from services.conversing import reconciling
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired


@contextmanager
def crashing_before_it_settles(wired: Wired) -> Iterator[None]:
    """Workers die after each commit."""
    settle = wired.receiving._settle
    wired.receiving._settle = lambda *_: None  # type: ignore[method-assign]
    yield
    wired.receiving._settle = settle  # type: ignore[method-assign]


def strand(wired: Wired, *names: str) -> None:
    """Leave the statuses of these messages waiting although the messages are here."""
    with crashing_before_it_settles(wired):
        for name in names:
            wired.deliver(
                meta.envelope(meta.status(name, "read")),
                meta.envelope(meta.echo(message_id=name), field="smb_message_echoes"),
            )


def status(wired: Wired, name: str) -> Any:
    message = wired.store.messages.find_one({"providerMessageId": name})
    assert message is not None
    return message["status"]


def test_what_a_crash_left_is_settled_by_the_sweep(wired: Wired) -> None:
    strand(wired, "wamid.A")
    assert status(wired, "wamid.A") != "read"

    assert wired.reconciling.sweep() == 1

    assert status(wired, "wamid.A") == "read"
    assert wired.store.pendingupdates.count_documents({}) == 0


@pytest.mark.parametrize(
    "harm",
    [
        {"$unset": {"payload.status": 1}},  # written by a version that knew the field by another name
        {"$set": {"kind": "of another version"}},
    ],
)
def test_an_update_that_cannot_be_settled_waits_alone(wired: Wired, harm: dict[str, Any]) -> None:
    strand(wired, "wamid.A", "wamid.B", "wamid.C")
    wired.store.pendingupdates.update_one({"providerMessageId": "wamid.B"}, harm)

    wired.reconciling.sweep()

    assert [status(wired, name) for name in ("wamid.A", "wamid.C")] == ["read", "read"]
    assert wired.store.pendingupdates.count_documents({}) == 1


def test_an_update_that_cannot_be_stored_waits_alone(wired: Wired) -> None:
    """A reaction's sender becomes a key of the message, and a key cannot hold a NUL."""
    reaction = meta.reaction("wamid.B", "👍")
    reaction["messages"][0]["from_user_id"] = "GB.\x00"
    wired.deliver(meta.envelope(reaction))
    strand(wired, "wamid.A", "wamid.B", "wamid.C")

    wired.reconciling.sweep()

    assert [status(wired, name) for name in ("wamid.A", "wamid.B", "wamid.C")] == ["read"] * 3
    assert [row["kind"] for row in wired.store.pendingupdates.find()] == ["reaction"]


def test_a_sweep_looks_at_the_newest_and_at_a_stretch_of_the_others(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "STRETCH", 2)
    wired.deliver(*(meta.envelope(meta.status(f"wamid.others.{n}", "sent")) for n in range(5)))
    strand(wired, "wamid.NEW")
    with crashing_before_it_settles(wired):
        wired.deliver(meta.envelope(meta.echo(message_id="wamid.others.4"), field="smb_message_echoes"))

    assert [wired.reconciling.sweep() for _ in range(3)] == [2, 0, 0]


def test_every_waiting_update_is_looked_at_in_turn(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "STRETCH", 2)
    wired.deliver(*(meta.envelope(meta.status(f"wamid.before.{n}", "sent")) for n in range(2)))
    strand(wired, "wamid.AMONG")
    wired.deliver(*(meta.envelope(meta.status(f"wamid.after.{n}", "sent")) for n in range(3)))

    assert [wired.reconciling.sweep() for _ in range(4)] == [0, 1, 0, 0]


@pytest.mark.parametrize("order", [(10, 20), (20, 10)])
def test_a_step_told_twice_before_its_message_keeps_its_earlier_time(wired: Wired, order: tuple[int, ...]) -> None:
    wired.deliver(*(meta.envelope(meta.status("wamid.A", "delivered", at=meta.NOON + seconds)) for seconds in order))
    wired.deliver(meta.envelope(meta.echo(message_id="wamid.A"), field="smb_message_echoes"))

    message = wired.store.messages.find_one({"providerMessageId": "wamid.A"})
    assert message is not None
    assert message["deliveredAt"].timestamp() == meta.NOON + 10
