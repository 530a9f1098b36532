"""An account that hears nothing can be told from one that does, at next to no cost."""

from datetime import timedelta

from models.whatsapp_config import WebhookStatus
from tests.support import meta_webhooks as meta
from tests.support.wired import Wired, add_meta_account


def test_the_first_event_makes_an_account_active(wired: Wired) -> None:
    other = add_meta_account(wired, number_id="888000111222333")
    assert wired.configs.get(wired.account.id).webhook_status is WebhookStatus.INACTIVE

    (event,) = wired.deliver(meta.envelope(meta.text()))

    config = wired.configs.get(wired.account.id)
    assert (config.webhook_status, config.last_event_at) == (WebhookStatus.ACTIVE, event.received_at)
    assert wired.configs.get(other.id).last_event_at is None


def test_it_is_the_account_spoken_of_that_was_heard_of(wired: Wired) -> None:
    """One app's URL and secret serve many numbers."""
    other = add_meta_account(wired, number_id="888000111222333")
    wired.directory.refresh(older_than=0)

    wired.deliver(meta.envelope(meta.text(), number_id="888000111222333"))

    assert wired.configs.get(other.id).last_event_at is not None
    assert wired.configs.get(wired.account.id).last_event_at is None


def test_it_is_noted_once_a_minute_and_never_goes_back(wired: Wired) -> None:
    def noted() -> float:
        at = wired.configs.get(wired.account.id).last_event_at
        assert at is not None
        return at.timestamp()

    (first,) = wired.deliver(meta.envelope(meta.text()))
    wired.deliver(meta.envelope(meta.text()))
    assert noted() == first.received_at.timestamp()

    wired.clock_hand.move(timedelta(minutes=1))
    (later,) = wired.deliver(meta.envelope(meta.text()))
    assert noted() == later.received_at.timestamp()

    wired.events.reopen(first.id, now=wired.clock.now())
    Wired(wired.settings, application="test", clock=wired.clock).receiving.receive([first.id])
    assert noted() == later.received_at.timestamp()


def test_what_nobody_is_named_in_is_heard_by_nobody(wired: Wired) -> None:
    wired.deliver(b"{", meta.envelope(meta.text(), number_id="777"))

    assert wired.configs.get(wired.account.id).last_event_at is None
