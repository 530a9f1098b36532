"""Synchronisation: every page, no older word over a younger one, nothing vanished but what the whole list lacks."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.template import Template
from providers import registry
from services.curating.syncing import EVERY, Synced, Syncing
from tests.support import meta_webhooks as meta
from tests.support.shelf import Shelf, refusal, served, template
from tests.support.wired import Wired, add_meta_account

HOUR = timedelta(hours=1)
FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture
def shelf(wired: Wired) -> Iterator[Shelf]:
    with served(Shelf()) as found:
        wired.settings = replace(wired.settings, api_urls={"meta": found.url})
        yield found
    wired.outgoing.close()


def syncing(wired: Wired) -> Syncing:
    """The product's own, without the pauses between tries."""
    return Syncing(
        connected=wired._connected,
        vendors=wired._template_vendors,
        templates=wired.templates,
        conversations=wired.conversations,
        clock=wired.clock,
        pause=lambda _seconds: None,
    )


def add_account(wired: Wired, slug: str, **values: str) -> str:
    provider = registry.by_slug(slug)
    assert provider is not None
    return wired.connecting.add(provider, values).id


def sync(wired: Wired, *, later: timedelta = HOUR) -> Synced:
    wired.clock_hand.move(later)
    (synced,) = syncing(wired).sync()
    return synced


def counts(synced: Synced) -> tuple[int, int, int, int, int]:
    return synced.added, synced.changed, synced.unchanged, synced.restored, synced.vanished


def only(wired: Wired, name: str) -> Template:
    (found,) = wired.templates.named(wired.account.id, name)
    return found


def webhook(event: str, *, at: datetime, name: str = "a") -> bytes:
    value = {
        "event": event,
        "message_template_id": 1730559284410265,
        "message_template_name": name,
        "message_template_language": "en_GB",
    }
    return meta.management("message_template_status_update", value, at=int(at.timestamp()))


def test_all_pages_are_read_and_parameters_derived(wired: Wired, shelf: Shelf) -> None:
    shelf.page_size = 2
    shelf.templates = [template(f"t{n}") for n in range(5)]

    synced = sync(wired)

    assert counts(synced) == (5, 0, 0, 0, 0)
    assert synced.reason is None
    assert len(shelf.requests) == 3
    found = only(wired, "t4")
    assert (found.status, found.category, found.content) == ("approved", "UTILITY", "Hello {{1}}.")
    assert found.parameters == [{"component": "body", "position": 1, "kind": "text", "required": True}]
    assert found.whatsapp_template_id == shelf.templates[4]["id"]
    assert found.last_sync_at == wired.clock.now() == wired.configs.get(wired.account.id).last_sync_at


def test_a_second_synchronisation_counts_what_changed(wired: Wired, shelf: Shelf) -> None:
    shelf.templates = [template("a"), template("b")]
    assert counts(sync(wired)) == (2, 0, 0, 0, 0)
    only_id = only(wired, "a").id

    shelf.templates = [template("a", body="Dear {{1}} and {{2}}."), template("b")]

    assert counts(sync(wired)) == (0, 1, 1, 0, 0)
    changed = only(wired, "a")
    assert (changed.id, len(changed.parameters or ())) == (only_id, 2)


def test_a_rejection_that_was_lifted_is_lifted(wired: Wired, shelf: Shelf) -> None:
    shelf.templates = [template("a", status="REJECTED", rejected_reason="INVALID_FORMAT")]
    sync(wired)
    assert only(wired, "a").rejection_reason == "INVALID_FORMAT"

    shelf.templates = [template("a")]
    sync(wired)

    assert (only(wired, "a").status, only(wired, "a").rejection_reason) == ("approved", None)


def test_vanished_templates_are_marked_and_come_back_with_their_counts(wired: Wired, shelf: Shelf) -> None:
    shelf.templates = [template("a"), template("b")]
    sync(wired)
    wired.store.templates.update_one({"name": "a"}, {"$set": {"usageCount": 7}})
    shelf.templates = [template("b")]

    assert counts(sync(wired)) == (0, 0, 1, 0, 1)
    assert (only(wired, "a").status, only(wired, "a").rejection_reason) == ("disabled", "vanished")
    assert counts(sync(wired)) == (0, 0, 1, 0, 0)

    shelf.templates = [template("a"), template("b")]
    assert counts(sync(wired)) == (0, 0, 1, 1, 0)
    back = only(wired, "a")
    assert (back.status, back.rejection_reason, back.usage_count) == ("approved", None, 7)


def test_a_removed_template_whose_end_the_vendor_tells_of_does_not_come_back(wired: Wired, shelf: Shelf) -> None:
    shelf.templates = [template("a")]
    sync(wired)
    wired.templates.remove(only(wired, "a").id, now=wired.clock.now())
    shelf.templates = []
    wired.clock_hand.move(HOUR)

    wired.deliver(webhook("DELETED", at=wired.clock.now()))
    assert counts(sync(wired)) == (0, 0, 0, 0, 0)

    assert wired.templates.named(wired.account.id, "a") == []


def test_our_own_templates_never_vanish(wired: Wired, shelf: Shelf) -> None:
    reply = Template(id="tpl_local", config_id=wired.account.id, name="hello", content="Hello")
    wired.templates.add(reply, now=wired.clock.now())

    assert counts(sync(wired)) == (0, 0, 0, 0, 0)
    assert only(wired, "hello").status == "local"


@pytest.mark.parametrize("failure", [refusal(190, "expired"), (200, {"data": "oops"}), None, (500, {})])
def test_an_interrupted_synchronisation_marks_nothing_vanished(wired: Wired, shelf: Shelf, failure: Any) -> None:
    shelf.page_size = 1
    shelf.templates = [template("a"), template("b"), template("c")]
    sync(wired)
    shelf.templates = [template("a", body="Changed."), template("d"), template("e")]

    def fail_later(start: int) -> None:
        if start == 0:
            shelf.instead = [failure] * 3

    shelf.before_page = fail_later
    synced = sync(wired)

    assert synced.reason
    assert counts(synced) == (0, 1, 0, 0, 0)
    assert only(wired, "b").status == only(wired, "c").status == "approved"
    assert wired.configs.get(wired.account.id).last_sync_at != wired.clock.now()


def test_a_page_that_fails_once_is_asked_for_again(wired: Wired, shelf: Shelf) -> None:
    shelf.templates = [template("a")]
    shelf.instead = [None, (503, {})]

    assert counts(sync(wired)) == (1, 0, 0, 0, 0)


def test_a_refusal_is_not_repeated(wired: Wired, shelf: Shelf) -> None:
    shelf.instead = [refusal(190, "expired")]

    assert "190" in str(sync(wired).reason)
    assert len(shelf.requests) == 1


def test_a_list_that_goes_in_circles_is_broken_off(wired: Wired, shelf: Shelf) -> None:
    page = {"data": [template("a")], "paging": {"cursors": {"after": "x"}, "next": "https://graph.example/?after=x"}}
    shelf.instead = [(200, page)] * 50

    assert sync(wired).reason == "the list has no end"
    assert len(shelf.requests) == 2


def test_a_vendor_that_cannot_be_reached_is_told_so(wired: Wired) -> None:
    assert "cannot be reached" in str(sync(wired).reason)


def test_a_younger_word_of_a_webhook_is_not_overwritten_by_an_older_page(wired: Wired, shelf: Shelf) -> None:
    shelf.templates = [template("a")]
    sync(wired)
    wired.clock_hand.move(HOUR)

    def tell_meanwhile(_: int) -> None:
        wired.deliver(webhook("PAUSED", at=wired.clock.now() + timedelta(seconds=1)))

    shelf.before_page = tell_meanwhile
    synced = sync(wired, later=timedelta())

    assert counts(synced) == (0, 0, 1, 0, 0)
    assert only(wired, "a").status == "paused"


def test_an_older_word_of_a_webhook_that_comes_late_changes_nothing(wired: Wired, shelf: Shelf) -> None:
    shelf.templates = [template("a")]
    sync(wired)

    wired.deliver(webhook("PAUSED", at=wired.clock.now() - HOUR))

    assert only(wired, "a").status == "approved"


def test_a_lagging_list_does_not_undo_a_webhook_of_a_moment_before(wired: Wired, shelf: Shelf) -> None:
    shelf.templates = [template("a")]
    sync(wired)
    wired.clock_hand.move(HOUR)
    wired.deliver(webhook("PAUSED", at=wired.clock.now() - timedelta(seconds=20)))

    sync(wired, later=timedelta())
    assert only(wired, "a").status == "paused"

    sync(wired)
    assert only(wired, "a").status == "approved"


def test_what_another_met_meanwhile_has_not_vanished(wired: Wired, shelf: Shelf) -> None:
    shelf.templates = [template("a"), template("b")]
    sync(wired)
    wired.clock_hand.move(HOUR)
    shelf.templates = [template("a")]

    def another(_: int) -> None:
        shelf.before_page = lambda _start: None
        kept, shelf.templates = shelf.templates, [template("a"), template("b"), template("c")]
        syncing(wired).sync()
        shelf.templates = kept

    shelf.before_page = another
    synced = sync(wired, later=timedelta())

    assert synced.vanished == 0
    assert only(wired, "b").status == only(wired, "c").status == "approved"


def test_many_at_once_leave_one_row_for_each(wired: Wired, shelf: Shelf) -> None:
    shelf.page_size = 10
    shelf.templates = [template(f"t{n:02}") for n in range(40)]
    wired.clock_hand.move(HOUR)
    together = threading.Barrier(4)
    results: list[Synced] = []

    def run() -> None:
        together.wait()
        results.extend(syncing(wired).sync())

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [one.reason for one in results] == [None] * 4
    assert sum(one.added for one in results) == 40
    assert sum(one.vanished for one in results) == 0
    assert wired.store.templates.count_documents({}) == 40


def test_a_failing_account_does_not_keep_the_others(wired: Wired, shelf: Shelf) -> None:
    other = add_meta_account(wired, number_id="331702589914421", secret="another")
    shelf.templates = [template("a")]
    shelf.instead = [refusal(190)]

    first, second = syncing(wired).sync()

    assert first.reason
    assert (second.config_id, second.reason, second.added) == (other.id, None, 1)


def test_accounts_have_their_turn_every_hour_and_new_ones_at_once(wired: Wired, shelf: Shelf) -> None:
    assert [one.config_id for one in syncing(wired).due()] == [wired.account.id]
    assert syncing(wired).due() == []

    other = add_meta_account(wired, number_id="331702589914421", secret="another")
    assert [one.config_id for one in syncing(wired).due()] == [other.id]

    wired.clock_hand.move(EVERY)
    assert {one.config_id for one in syncing(wired).due()} == {wired.account.id, other.id}


def test_one_account_alone(wired: Wired, shelf: Shelf) -> None:
    add_meta_account(wired, number_id="331702589914421", secret="another")

    assert [one.config_id for one in syncing(wired).sync(wired.account.id)] == [wired.account.id]
    assert syncing(wired).sync("cfg_none") == []


def test_a_webhook_on_the_text_brings_new_parameters_and_keeps_the_buttons(wired: Wired, shelf: Shelf) -> None:
    url = {"type": "URL", "text": "See", "url": "https://quayside.example/{{1}}"}
    parts = [{"type": "BODY", "text": "Hello {{1}}."}, {"type": "BUTTONS", "buttons": [url]}]
    shelf.templates = [template("a", components=parts)]
    sync(wired)
    value = {
        "message_template_id": 1,
        "message_template_name": "a",
        "message_template_language": "en_GB",
        "message_template_element": "Hello {{1}}, {{2}}.",
    }

    at = int(wired.clock.now().timestamp())
    wired.deliver(meta.management("message_template_components_update", value, at=at))

    found = only(wired, "a")
    assert [(one["component"], one["kind"]) for one in found.parameters or ()] == [
        ("body", "text"),
        ("body", "text"),
        ("button", "url_suffix"),
    ]
    assert found.content == "Hello {{1}}, {{2}}."


def test_twilios_contents_are_filled_in_by_their_variables(wired: Wired, shelf: Shelf) -> None:
    account = add_account(wired, "twilio", accountSid="AC00112233445566778899aabbccddeeff", authToken="t" * 32)
    shelf.instead = [(200, json.loads((FIXTURES / "twilio" / "api" / "content_and_approvals_list.json").read_text()))]
    wired.settings = replace(wired.settings, api_urls={"twilio": shelf.url})

    (synced,) = syncing(wired).sync(account)

    assert (synced.reason, synced.added) == (None, 1)
    assert wired.using.usable(account) == [{"name": "appointment_reminder", "language": "en"}]
    filled = wired.using.filled(
        config_id=account, name="appointment_reminder", language="en", values={"parameters": ["Ana", "10:00"]}
    )
    assert filled.use.variables == {"1": "Ana", "2": "10:00"}
    assert filled.use.provider_template_id == "HXa9f7e97965d6cf799a529102a973b8b9"
    assert filled.text == "Hi Ana, a reminder of your appointment on 10:00."


def test_1msgs_templates_are_filled_in_as_metas(wired: Wired, shelf: Shelf) -> None:
    account = add_account(
        wired, "chatapi", instanceId="463107", variant="1msg", apiKey="k", webhookSecret="a-long-webhook-secret"
    )
    shelf.instead = [(200, json.loads((FIXTURES / "onemsg" / "response_onemsg_templates.json").read_text()))]
    wired.settings = replace(wired.settings, api_urls={"chatapi": shelf.url})

    (synced,) = syncing(wired).sync(account)

    assert (synced.reason, synced.added) == (None, 1)
    values = {"parameters": ["Ana", "12 May, 10:00"], "buttons": {"0": "appointment_confirm"}}
    use = wired.using.use(config_id=account, name="appointment_reminder", language="en", values=values)
    asked = json.loads((FIXTURES / "onemsg" / "request_onemsg_sendTemplate.json").read_text())["params"]
    assert [{**one, "index": int(one["index"])} if "index" in one else one for one in use.components or []] == asked


def test_1msgs_list_is_read_to_its_end(wired: Wired, shelf: Shelf) -> None:
    account = add_account(
        wired, "chatapi", instanceId="463107", variant="1msg", apiKey="k", webhookSecret="a-long-webhook-secret"
    )
    (listed,) = json.loads((FIXTURES / "onemsg" / "response_onemsg_templates.json").read_text())["templates"]
    named = [{**listed, "name": f"reminder_{number}"} for number in range(5)]
    shelf.instead = [(200, {"total": 5, "templates": named[start : start + 2]}) for start in (0, 2, 4)]
    wired.settings = replace(wired.settings, api_urls={"chatapi": shelf.url})

    (synced,) = syncing(wired).sync(account)

    assert (synced.reason, synced.added, synced.vanished) == (None, 5, 0)
    assert [target.partition("?")[2].partition("&")[0] for _, target, _ in shelf.requests] == [
        "token=k",
        "offset=2",
        "offset=4",
    ]


def test_an_account_whose_vendor_has_no_templates_is_left_out(wired: Wired, shelf: Shelf) -> None:
    account = add_account(
        wired, "chatapi", instanceId="318842", variant="chat-api", apiKey="k", webhookSecret="a-long-webhook-secret"
    )

    assert syncing(wired).sync(account) == []
    assert shelf.requests == []
