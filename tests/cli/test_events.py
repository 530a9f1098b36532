"""`hookline events`: looking at stored webhooks, and applying them again."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest
import redis

from cli.events import Moment
from models.values import EventStatus
from tests.cli.conftest import Hookline
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired


@pytest.fixture
def ended(wired: Wired) -> list[str]:
    """A processed webhook, a failed one and an ignored one."""
    events = wired.deliver(
        meta.envelope(meta.text("good morning")), b"{", meta.envelope(meta.text("x"), number_id="777")
    )
    assert [event.status for event in events] == [EventStatus.PROCESSED, EventStatus.FAILED, EventStatus.IGNORED]
    return [event.id for event in events]


def listed(hookline: Hookline, *arguments: str) -> list[dict[str, Any]]:
    outcome = hookline("events", "list", "--json", *arguments)
    assert outcome.code == 0, outcome.err
    found: list[dict[str, Any]] = json.loads(outcome.out)
    return found


def rung(client: redis.Redis) -> set[str]:
    return {one for data in client.hvals("hookline:inbound.msgs") for one in json.loads(data)["args"][0]}


def test_the_list_is_newest_first_and_without_contents(hookline: Hookline, ended: list[str]) -> None:
    rows = listed(hookline)

    assert [row["id"] for row in rows] == ended[::-1]
    assert all(datetime.fromisoformat(row["receivedAt"]).tzinfo for row in rows)
    assert "good morning" not in json.dumps(rows)
    table = hookline("events", "list").out.splitlines()
    assert table[0].split() == ["id", "receivedAt", "provider", "eventType", "status", "error"]
    assert len(table) == 4


def test_the_list_is_narrowed_by_state_and_time(hookline: Hookline, wired: Wired, ended: list[str]) -> None:
    at = wired.clock.now()

    assert [row["id"] for row in listed(hookline, "--status", "failed")] == [ended[1]]
    assert listed(hookline, "--status", "pending") == []
    assert len(listed(hookline, "--limit", "2")) == 2
    assert listed(hookline, "--since", (at + timedelta(seconds=1)).isoformat()) == []
    assert len(listed(hookline, "--until", (at + timedelta(seconds=1)).isoformat())) == 3


def test_a_webhook_is_shown_whole(hookline: Hookline, ended: list[str]) -> None:
    outcome = hookline("events", "show", ended[0])

    shown = json.loads(outcome.out)
    assert (
        json.loads(shown["rawBody"])["entry"][0]["changes"][0]["value"]["messages"][0]["text"]["body"] == "good morning"
    )
    assert [item["outcome"] for item in shown["items"]] == ["applied"]
    assert shown["status"] == "processed"


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"\x1b[2J\x9b", "\u202e\u2028".encode()])
def test_bytes_of_any_kind_are_shown_and_steer_no_terminal(body: bytes, hookline: Hookline, wired: Wired) -> None:
    event_id = wired.store_webhook(body)

    outcome = hookline("events", "show", event_id)

    assert outcome.code == 0
    assert json.loads(outcome.out)["rawBody"]
    assert not any(character in outcome.out for character in "\x00\x1b\x9b\u202e\u2028")


@pytest.mark.parametrize("command", ["show", "replay"])
def test_a_webhook_that_is_not_there_is_not_found(command: str, hookline: Hookline) -> None:
    outcome = hookline("events", command, "evt_nobody")

    assert (outcome.code, outcome.complaint) == (1, "no webhook event evt_nobody")


def test_one_that_cannot_be_replayed_does_not_keep_the_others(
    hookline: Hookline, wired: Wired, ended: list[str]
) -> None:
    outcome = hookline("events", "replay", ended[0], "evt_nobody", ended[1])

    assert outcome.code == 1
    assert outcome.complaint == "no webhook event evt_nobody"
    assert outcome.out == "2 webhooks will be applied again\n"
    assert wired.store.auditentries.count_documents({"verb": "replay", "entityId": {"$in": ended[:2]}}) == 2


def test_replayed_by_id_they_are_rung_for_and_take_no_second_effect(
    hookline: Hookline, wired: Wired, ended: list[str], redis_client: redis.Redis
) -> None:
    outcome = hookline("events", "replay", *ended)

    assert (outcome.code, outcome.out) == (0, "3 webhooks will be applied again\n")
    assert rung(redis_client) == set(ended)
    assert {wired.events.get(one).status for one in ended} == {EventStatus.PENDING}
    assert wired.store.auditentries.count_documents({"verb": "replay", "entityId": {"$in": ended}}) == 3
    wired.receiving.receive(ended)
    assert wired.store.messages.count_documents({}) == 1


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [(("--status", "failed"), [1]), (("--since", "2001-01-01"), [0, 1, 2]), (("--until", "2001-01-01"), [])],
)
def test_replayed_by_what_they_are(
    arguments: tuple[str, ...], chosen: list[int], hookline: Hookline, ended: list[str], redis_client: redis.Redis
) -> None:
    outcome = hookline("events", "replay", *arguments)

    assert outcome.out == f"{len(chosen)} webhooks will be applied again\n"
    assert rung(redis_client) == {ended[n] for n in chosen}


def test_a_replay_of_many_is_one_act_and_can_be_tried_and_taken_up(
    hookline: Hookline, wired: Wired, ended: list[str], redis_client: redis.Redis
) -> None:
    tried = hookline("events", "replay", "--provider", "meta-whatsapp", "--dry-run")
    assert tried.out == "3 webhooks would be applied again\n"
    assert rung(redis_client) == set()

    hookline("events", "replay", "--provider", "meta-whatsapp")
    (entry,) = wired.store.auditentries.find({"verb": "replay"})
    again = hookline("events", "replay", "--continue", entry["id"])

    assert entry["after"] == {"provider": "meta-whatsapp"}
    assert again.out == "0 webhooks will be applied again\n"
    assert wired.store.auditentries.count_documents({"verb": "replay"}) == 1


@pytest.mark.parametrize("arguments", [(), ("evt_1", "--status", "failed"), ("evt_1", "--since", "1d")])
def test_which_ones_must_be_said_in_one_way(arguments: tuple[str, ...], hookline: Hookline) -> None:
    outcome = hookline("events", "replay", *arguments)

    assert outcome.code == 2
    assert outcome.complaint.startswith("name webhooks, or else say which")


def test_one_that_is_not_at_its_end_is_a_conflict_by_name_and_passed_over_in_a_crowd(
    hookline: Hookline, wired: Wired, ended: list[str]
) -> None:
    waiting = wired.store_webhook(meta.envelope(meta.text("waits")))

    named = hookline("events", "replay", waiting)
    crowd = hookline("events", "replay", "--since", "2001-01-01")

    assert named.code == 1
    assert "is pending" in named.complaint
    assert crowd.out == "3 webhooks will be applied again\n"


def test_with_the_queue_away_they_wait_for_the_sweep(
    hookline: Hookline, wired: Wired, ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")

    outcome = hookline("events", "replay", ended[0])

    assert (outcome.code, outcome.out) == (0, "1 webhooks will be applied again\n")
    assert wired.events.get(ended[0]).status is EventStatus.PENDING


NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("word", "moment"),
    [
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22T10:00:00Z", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22T10:00:00+02:00", datetime(2026, 11, 22, 8, tzinfo=UTC)),
        ("90m", NOW - timedelta(minutes=90)),
        ("12h", NOW - timedelta(hours=12)),
        ("7d", NOW - timedelta(days=7)),
    ],
)
def test_moments_are_read_as_people_write_them(word: str, moment: datetime) -> None:
    assert abs(Moment().convert(word, None, None) - moment) < timedelta(minutes=30)


def test_ahead_an_age_lies_in_the_future() -> None:
    assert abs(Moment(ahead=True).convert("7d", None, None) - NOW - timedelta(days=7)) < timedelta(minutes=30)


@pytest.mark.parametrize("word", ["", "d", "7", "7w", "-7d", "²d", "999999999d", "yesterday", "2026-13-01", "1e3h"])
def test_what_is_no_moment_is_refused(word: str) -> None:
    with pytest.raises(click.BadParameter, match="is no moment"):
        Moment().convert(word, None, None)
