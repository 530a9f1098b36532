"""What every dialect must do, for every vendor that has a folder of fixtures.

Deliberately nothing about one vendor: its own rules are tested in a module of its own.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers import registry
from providers.base import Delivery
from providers.events import Event, Malformed
from tests.support.golden import current, expected, stale
from tests.support.normal_form import normal_form
from tests.support.signing import Kit, kits

KITS = kits()
FIXTURES = [(kit, fixture) for kit in KITS for fixture in kit.fixtures()]

OLD, NEW, FOREIGN = "the-old-secret-0f3c1e8a", "the-new-secret-9b7d4c62", "a-third-secret-a5e1d093"
#: Levels of nesting that MongoDB takes of a document are 100; an event's own fields need some of them.
DEEPEST = 80

every_kit = pytest.mark.parametrize("kit", KITS, ids=lambda kit: kit.slug)
every_fixture = pytest.mark.parametrize(
    ("kit", "fixture"), FIXTURES, ids=[f"{kit.slug}-{fixture.stem}" for kit, fixture in FIXTURES]
)
modest = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_every_dialect_has_a_kit_with_fixtures() -> None:
    with_fixtures = {kit.slug for kit in KITS if kit.fixtures()}
    assert {provider.slug for provider in registry.all_providers()} <= with_fixtures


@every_kit
def test_a_dialect_describes_its_account(kit: Kit) -> None:
    provider = kit.provider
    by_name = {field.name: field for field in provider.form}
    assert len(by_name) == len({field.flag for field in provider.form}) == len(provider.form)
    assert by_name[provider.webhook_secret_field].secret
    assert kit.signature_header not in provider.kept_headers
    assert set(provider.account_keys(kit.account(NEW)))


@every_kit
def test_an_account_without_a_webhook_secret_is_incomplete(kit: Kit) -> None:
    assert kit.provider.check(kit.account(NEW)) is None
    flags = {field.name: field.flag for field in kit.provider.form}
    assert flags[kit.provider.webhook_secret_field] in (kit.provider.check(kit.account()) or "")


@every_fixture
def test_a_fixture_verifies_with_its_secret_alone(kit: Kit, fixture: Path) -> None:
    request = kit.sign(kit.body(fixture), NEW)
    assert kit.provider.verify(request, kit.account(NEW))
    assert not kit.provider.verify(request, kit.account(FOREIGN))
    assert not kit.provider.verify(request, kit.account())


@every_fixture
def test_one_flipped_byte_of_the_body_fails(kit: Kit, fixture: Path) -> None:
    if not kit.signs_body:
        pytest.skip("a bare secret authenticates; it does not cover the body")
    request, account = kit.sign(kit.body(fixture), NEW), kit.account(NEW)
    assert not [one.body for one in kit.flipped_bodies(request) if kit.provider.verify(one, account)]


@every_kit
def test_one_altered_character_of_the_signature_fails(kit: Kit) -> None:
    request, account = kit.sign(kit.body(kit.fixtures()[0]), NEW), kit.account(NEW)
    forged = list(kit.flipped_signatures(request))
    assert forged
    assert not [one for one in forged if kit.provider.verify(one, account)]


@every_kit
def test_during_rotation_old_and_new_secret_pass_and_no_third(kit: Kit) -> None:
    body, account = kit.body(kit.fixtures()[0]), kit.account(NEW, OLD)
    assert kit.provider.verify(kit.sign(body, NEW), account)
    assert kit.provider.verify(kit.sign(body, OLD), account)
    assert not kit.provider.verify(kit.sign(body, FOREIGN), account)


@every_kit
def test_an_empty_secret_authenticates_nobody(kit: Kit) -> None:
    body = kit.body(kit.fixtures()[0])
    assert not kit.provider.verify(kit.sign(body, ""), kit.account(""))


@every_kit
def test_a_webhook_is_recognised_by_its_vendor_alone(kit: Kit) -> None:
    request = kit.sign(kit.body(kit.fixtures()[0]), NEW)
    assert kit.provider.recognises(request)
    others = [provider for provider in registry.all_providers() if provider.slug != kit.slug]
    assert not [provider.slug for provider in others if provider.recognises(request)]


@every_fixture
def test_the_normal_form_is_the_golden_one(kit: Kit, fixture: Path) -> None:
    assert current(kit, fixture) == expected(kit, fixture)


@every_kit
def test_no_golden_file_outlives_its_fixture(kit: Kit) -> None:
    assert stale(kit) == []


@every_fixture
def test_every_item_of_a_fixture_is_accounted_for_and_none_is_malformed(kit: Kit, fixture: Path) -> None:
    events = parse(kit, kit.body(fixture))
    assert unaccounted(kit, kit.body(fixture), events) == set()
    assert [event for event in events if isinstance(event, Malformed)] == []


@every_fixture
def test_the_accounts_of_a_fixture_are_hinted_before_it_is_parsed(kit: Kit, fixture: Path) -> None:
    request = kit.sign(kit.body(fixture), NEW)
    hinted = kit.provider.hinted_keys(request)
    named = {event.account for event in parse(kit, request.body) if event.account}
    ours = set(kit.provider.account_keys(kit.account(NEW)))
    assert bool(hinted & ours) == bool(named & ours)


@every_kit
def test_no_credential_shows_in_any_repr(kit: Kit) -> None:
    account = kit.account(NEW, OLD)
    shown = repr(account) + str(account.secrets) + repr(vars(kit.provider)) + repr(kit.provider.form)
    assert NEW not in shown
    assert OLD not in shown


@every_kit
def test_no_credential_shows_in_the_events(kit: Kit) -> None:
    for fixture in kit.fixtures():
        request = kit.sign(kit.body(fixture), NEW)
        assert NEW not in repr(kit.provider.parse(kit.delivery(request)))


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(alphabet=st.characters(), max_size=20)
    | st.sampled_from(["\ud800", "$where", "a\x00b", "1793100637", "9" * 30, "wamid.X", "GB.1", "text", "messages"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@every_kit
@modest
@given(body=st.binary(max_size=200))
def test_parse_is_total_on_any_bytes(kit: Kit, body: bytes) -> None:
    assert_sound(kit, body)


@every_kit
@modest
@given(document=JSON_VALUES)
def test_parse_is_total_on_any_json(kit: Kit, document: Any) -> None:
    for framed in kit.framed(document):
        assert_sound(kit, kit.encode(framed))


@every_kit
@modest
@given(data=st.data())
def test_parse_is_total_on_altered_payloads(kit: Kit, data: st.DataObject) -> None:
    document = data.draw(altered([json.loads(path.read_bytes()) for path in kit.fixtures()]))
    assert_sound(kit, kit.encode(document))


@every_kit
@modest
@given(data=st.data())
def test_parse_is_total_on_damaged_payloads(kit: Kit, data: st.DataObject) -> None:
    body = kit.body(data.draw(st.sampled_from(kit.fixtures())))
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 40)))
    assert_sound(kit, body[:start] + data.draw(st.binary(max_size=12)) + body[end:])


@st.composite
def altered(draw: st.DrawFn, documents: list[Any]) -> Any:
    """Take a real payload and put something odd in a few places of it."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 4))):
        places = list(containers(document))
        if not places:
            return document
        container, key = places[draw(st.integers(0, len(places) - 1))]
        change = draw(st.sampled_from(["replace", "remove", "wrap", "repeat"]))
        if change == "replace":
            container[key] = draw(JSON_VALUES)
        elif change == "remove":
            del container[key]
        elif change == "wrap":
            container[key] = draw(st.sampled_from([[container[key]], {"value": container[key]}]))
        elif isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
    return document


def containers(document: Any) -> Iterator[tuple[Any, Any]]:
    """Walk all places of a document that hold something."""
    pairs = (
        enumerate(document) if isinstance(document, list) else document.items() if isinstance(document, dict) else ()
    )
    for key, value in list(pairs):
        yield document, key
        yield from containers(value)


def parse(kit: Kit, body: bytes) -> list[Event]:
    return kit.provider.parse(Delivery(body=body, content_type=kit.content_type))


def assert_sound(kit: Kit, body: bytes) -> None:
    """Parse without a fault, twice alike, to events that can be stored, with nothing left out."""
    events = parse(kit, body)
    written = normal_form(events)
    assert events, "a delivery gives at least one event"
    assert written == normal_form(parse(kit, body)), "parsing is deterministic"
    assert unaccounted(kit, body, events) == set()
    assert not [event for event in events if isinstance(event, Malformed) and event.reason.startswith("reader_fault")]
    assert bson.encode({"events": written})
    assert depth(written) <= DEEPEST


def unaccounted(kit: Kit, body: bytes, events: list[Event]) -> set[str]:
    """List the places that have no event, neither themselves nor within."""
    paths = [event.path for event in events]
    return {
        place
        for place in kit.item_paths(body)
        if not any(path == place or path.startswith(f"{place}.") for path in paths)
    }


def depth(value: Any) -> int:
    inner = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return 1 + max(map(depth, inner), default=0)
