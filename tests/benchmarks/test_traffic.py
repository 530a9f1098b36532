from collections import Counter
from pathlib import Path

from benchmarks import traffic
from benchmarks.signing import PATH, read_requests, signed_request, write_requests
from benchmarks.traffic import Traffic
from models.values import Direction
from providers.base import Delivery
from providers.events import Event, MessageArrived, ReactionChanged, StatusChanged
from providers.meta.dialect import Meta
from tests.support.signing import hmac_by_hand

SECRET = "0123456789abcdef"
EVENTS = 3_000


def parsed(bodies: list[bytes]) -> list[Event]:
    return [event for body in bodies for event in Meta().parse(Delivery(body=body))]


def test_no_webhook_of_two_days_is_the_same() -> None:
    days = [Traffic(events=EVENTS), Traffic(events=EVENTS)]
    bodies = [body for day in days for body in (*day.before(), *day.mixed())]
    assert len(set(bodies)) == len(bodies)
    assert len(bodies) > 2 * EVENTS
    assert not days[0].expected.messages & days[1].expected.messages


def test_the_day_is_what_it_says_it_is() -> None:
    day = Traffic(events=EVENTS)
    events = parsed([*day.before(), *day.mixed()])
    messages = [event for event in events if isinstance(event, MessageArrived)]
    inbound = Counter(event.party.phone for event in messages if event.direction is Direction.INBOUND)
    reactions = {event.target_id: event.emoji for event in events if isinstance(event, ReactionChanged)}
    assert {type(event) for event in events} == {MessageArrived, StatusChanged, ReactionChanged}
    assert sorted(event.provider_message_id for event in messages) == sorted(day.expected.messages)
    assert inbound == day.expected.unread
    assert reactions == day.expected.reactions


def test_statuses_are_for_messages_sent_before_and_some_come_before_their_turn() -> None:
    day = Traffic(events=EVENTS)
    sent = {event.provider_message_id for event in parsed(list(day.before())) if isinstance(event, MessageArrived)}
    reports = [event for event in parsed(list(day.mixed())) if isinstance(event, StatusChanged)]
    told: dict[str, list[int]] = {}
    for report in reports:
        told.setdefault(report.provider_message_id, []).append(traffic.STATUSES.index(report.status.value))
    assert set(told) <= sent
    assert {traffic.STATUSES[max(ranks)] for ranks in told.values()} >= {"read"}
    assert all(day.expected.statuses[name] == traffic.STATUSES[max(ranks)] for name, ranks in told.items())
    assert any(ranks != sorted(ranks) for ranks in told.values())


def test_only_numbers_kept_for_fiction_are_used() -> None:
    day = Traffic(events=10, customers=traffic.MOST_CUSTOMERS)
    events = parsed([*day.before(), *day.mixed()])
    phones = {event.party.phone for event in events if isinstance(event, MessageArrived)}
    assert all(phone and phone.startswith("+447700900") and len(phone) == 13 for phone in phones)


def test_every_request_is_signed_over_the_bytes_it_carries(tmp_path: Path) -> None:
    day = Traffic(events=200)
    bodies = [*day.before(), *day.mixed()]
    count = write_requests(tmp_path / "requests", bodies, SECRET)
    requests = list(read_requests(tmp_path / "requests"))
    assert count == len(requests) == len(bodies)
    for request, sent in zip(requests, bodies, strict=True):
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        assert first == f"POST {PATH} HTTP/1.1"
        assert body == sent
        assert int(fields["Content-Length"]) == len(body)
        assert fields["X-Hub-Signature-256"] == f"sha256={hmac_by_hand(SECRET.encode(), body).hex()}"


def test_another_secret_gives_another_signature() -> None:
    assert signed_request(b"{}", SECRET) != signed_request(b"{}", SECRET[::-1])
