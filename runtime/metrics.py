"""The catalogue of metrics: every series Hookline exposes is declared here and nowhere else.

Labels come from closed vocabularies only (never a number, a name or a tenant). Deliberately no HTTP:
the doors expose `render()`; depth and age of what waits come from the store at scrape time.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_SLOW: Final = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

WEBHOOKS = Counter("hookline_webhooks", "Webhook requests by answer.", ("provider", "outcome"))
WEBHOOK_SECONDS = Histogram(
    "hookline_webhook_seconds", "Time from request to answer of stored webhooks.", buckets=_FAST
)
COMMIT_GROUP = Histogram("hookline_commit_group_size", "Webhooks committed together.", buckets=_SIZES)
INTAKE_WAITING = Gauge("hookline_intake_waiting", "Webhooks waiting for their commit.", multiprocess_mode="livesum")
RINGS = Counter("hookline_rings", "Wake-ups sent to the queue.", ("job", "outcome"))
JOBS = Counter("hookline_jobs", "Jobs run by workers.", ("job", "outcome"))
JOB_SECONDS = Histogram("hookline_job_seconds", "Run time of jobs.", ("job",), buckets=_SLOW)
EVENTS = Counter("hookline_events", "Stored webhooks brought to an end.", ("provider", "status"))
EVENT_SECONDS = Histogram("hookline_event_seconds", "Time from receipt of a webhook to its application.", buckets=_SLOW)
ITEMS = Counter("hookline_items", "Parts of webhooks by what became of them.", ("provider", "kind", "outcome"))
APPLY_BATCH = Histogram("hookline_apply_batch_size", "Webhooks applied in one transaction.", buckets=_SIZES)
APPLY_RETRIES = Counter("hookline_apply_retries", "Transactions begun again after a write conflict.")
FENCED_WRITES = Counter("hookline_fenced_writes", "Writes refused because another worker had taken over.")
POISON = Counter("hookline_poison_events", "Webhooks set aside because applying them failed.", ("provider",))
CONFLICTING_DUPLICATES = Counter(
    "hookline_conflicting_duplicates", "Messages that came again with other content.", ("provider",)
)
SWEPT = Counter("hookline_swept", "Rows found stranded and rung again.", ("state",))
SENDS = Counter("hookline_sends", "Attempts to send by what came of them.", ("provider", "outcome"))
SEND_SECONDS = Histogram(
    "hookline_send_seconds", "Time from queueing a message to its acceptance by the vendor.", buckets=_SLOW
)
SEND_CALL_SECONDS = Histogram("hookline_send_call_seconds", "Time vendors take to answer a send.", buckets=_SLOW)
SEND_THROTTLES = Counter("hookline_send_throttles", "Times a vendor asked us to slow down.", ("provider", "scope"))
SEND_PAUSES = Counter("hookline_send_pauses", "Accounts paused, by reason, and resumed.", ("reason",))
QUEUED_MESSAGES = Counter("hookline_messages_queued", "Messages taken for sending.", ("provider", "type"))
CLOCK_RUNS = Counter("hookline_clock_runs", "Runs of the timetable's jobs.", ("job", "outcome"))
API_REQUESTS = Counter("hookline_api_requests", "API requests by route and answer.", ("route", "method", "status"))
API_SECONDS = Histogram("hookline_api_seconds", "Time to answer API requests.", ("route",), buckets=_FAST)
LOGIN_FAILURES = Counter("hookline_login_failures", "Requests refused for their token.", ("reason",))
FOLLOW_UPS = Counter(
    "hookline_follow_ups", "Follow-ups and the messages with them by what became of them.", ("outcome",)
)
REMINDER_DELAY = Histogram(
    "hookline_reminder_delay_seconds", "Time from when reminders were due to when they fired.", buckets=_SLOW
)
BLOCKED_MESSAGES = Counter(
    "hookline_blocked_messages", "Messages of blocked senders, stored and shown to nobody.", ("provider",)
)
VENDOR_BLOCKS = Counter("hookline_vendor_blocks", "Blocks and their ends told to vendors.", ("provider", "outcome"))
RECEIPTS = Counter(
    "hookline_receipts", "Read receipts and typing indicators by what became of them.", ("kind", "outcome")
)
TEMPLATE_SYNCS = Counter(
    "hookline_template_syncs", "Synchronisations of an account's templates.", ("provider", "outcome")
)
TEMPLATES_SYNCED = Counter(
    "hookline_templates_synced", "Templates met by synchronisations, by what that did.", ("provider", "outcome")
)
MEDIA = Counter("hookline_media", "Files of customers by what became of trying to fetch them.", ("provider", "outcome"))
MEDIA_BYTES = Counter("hookline_media_bytes", "Bytes of customers' files that were stored.", ("provider",))
MEDIA_SECONDS = Histogram(
    "hookline_media_seconds", "Time from the arrival of a message to its files being here.", buckets=_SLOW
)
LENDINGS = Counter("hookline_media_lent", "Files handed to vendors, by how that went.", ("provider", "outcome"))

#: Series computed from MongoDB at scrape time by `models.store.depth`: name, help, labels.
EVENTS_WAITING: Final = ("hookline_events_waiting", "Stored webhooks not yet at an end.", ("state",))
EVENTS_OLDEST: Final = ("hookline_events_oldest_seconds", "Age of the oldest of them.", ("state",))
MESSAGES_WAITING: Final = ("hookline_messages_waiting", "Outbound messages whose fate is open.", ("state",))
MESSAGES_OLDEST: Final = (
    "hookline_messages_oldest_seconds",
    "How long the chat has been due that waits longest to be sent for.",
    (),
)
MEDIA_WAITING: Final = ("hookline_media_waiting", "Messages whose files are still to be fetched.", ())
MEDIA_OLDEST: Final = (
    "hookline_media_oldest_seconds",
    "How long the files have been due that wait longest to be fetched.",
    (),
)
ACCOUNTS_PAUSED: Final = ("hookline_accounts_paused", "Accounts that do not send now.", ())
QUERY_FAILED: Final = ("hookline_depth_query_failed", "1 if the depths could not be read at this scrape.", ())


def render(extra: Iterable[Collector] = ()) -> bytes:
    """Render all series of this service: of every process that shares PROMETHEUS_MULTIPROC_DIR, else of this one."""
    registry = CollectorRegistry() if _shared_directory() else REGISTRY
    if registry is not REGISTRY:
        MultiProcessCollector(registry)
    computed = CollectorRegistry()
    for collector in extra:
        computed.register(collector)
    return generate_latest(registry) + generate_latest(computed)


def forget_process(pid: int) -> None:
    """Drop the live gauges of a process that has ended."""
    if _shared_directory():
        mark_process_dead(pid)


def _shared_directory() -> Path | None:
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(directory) if directory else None
