"""Fetching what customers sent: claim, ask where the file is, fetch it, check it, keep it, say how it went.

Every try asks for a fresh address. What may pass is tried again for as long as the vendor keeps the file; what will
not pass is `failed` with a word that stays and a sentence for people. Deliberately no wire formats and no timetable.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from models.media_file import MediaFile, files_of
from models.message import Media, Message
from models.store.media_files import MediaFiles
from models.store.transactions import is_outage
from models.values import MediaState
from runtime.clock import Clock
from runtime.errors import LeaseLost
from runtime.logs import logger
from runtime.metrics import FENCED_WRITES, MEDIA, MEDIA_BYTES, MEDIA_SECONDS
from services.media.storage import Storage
from services.media.troubles import Trouble
from services.media.ways import Way, Ways

#: How long a worker may have a message before another takes it over: longer than all deadlines of one file together.
LEASE: Final = timedelta(minutes=6)
#: Messages of one ring: few, so that large files spread over workers.
RING_SIZE: Final = 8
#: Messages that one turn of the sweep rings for, at most.
SWEEP_LIMIT: Final = 400
#: Where our API shows a file.
PATH: Final = "/api/whatsapp/media/"

_log = logger(__name__)


@dataclass(slots=True)
class _Work:
    """A claimed message, and what the files of it that still wait for another try say about when."""

    message: Message
    tries: int
    give_up_at: datetime
    again_at: list[datetime] = field(default_factory=list)


class MediaFetching:
    """Fetches files of messages; any number of workers may do so at once."""

    def __init__(
        self,
        rows: MediaFiles,
        storage: Storage,
        ways: Ways,
        clock: Clock,
        *,
        ring: Callable[[Sequence[str]], None],
        rings_waiting: Callable[[], int] = lambda: 0,
    ) -> None:
        self._rows = rows
        self._storage = storage
        self._ways = ways
        self._clock = clock
        self._ring = ring
        self._rings_waiting = rings_waiting

    def announce(self, message_ids: Sequence[str]) -> None:
        """Wake workers for messages whose files have become due."""
        for start in range(0, len(message_ids), RING_SIZE):
            self._ring(message_ids[start : start + RING_SIZE])

    def sweep(self) -> int:
        """Ring for everything that is due: what nobody was rung for, what is to be tried again, what a worker left."""
        if self._rings_waiting() >= SWEEP_LIMIT // RING_SIZE:
            return 0
        due = self._rows.due(now=self._clock.now(), limit=SWEEP_LIMIT)
        self.announce(due)
        return len(due)

    def take_up_again(self, message_id: str) -> None:
        """Have a message's files that are not here fetched now, whatever became of earlier tries.

        Raises:
            NotFound: no such message.
            Conflict: all its files are here, or it has none.
        """
        self._rows.take_up_again(message_id, now=self._clock.now())
        self.announce([message_id])

    def fetch(self, message_ids: Sequence[str]) -> int:
        """Fetch the files of these messages (or, given none, of some that are due); return how many were claimed."""
        ids = message_ids or self._rows.due(now=self._clock.now(), limit=RING_SIZE)
        return sum(self._fetch(message_id) for message_id in ids)

    def _fetch(self, message_id: str) -> bool:
        now = self._clock.now()
        message = self._rows.claim(message_id, now=now, lease=LEASE)
        if message is None or message.fetch is None:
            return False
        way = self._ways.to(message.config_id)
        kept = way.access.kept if isinstance(way, Way) else timedelta(days=7)
        work = _Work(message, message.fetch.tries, message.received_at + kept)
        try:
            self._fetch_all(work, way)
        except LeaseLost:
            FENCED_WRITES.inc()
            MEDIA.labels(message.provider, "lost").inc()
        return True

    def _fetch_all(self, work: _Work, way: Way | Trouble) -> None:
        """Fetch one file after another; each is shown as soon as it is here, the claim ends with the last."""
        waiting = [place for place, one in enumerate(files_of(work.message)) if one.state is MediaState.PENDING]
        for place in waiting:
            self._fetch_file(work, place, way, is_last=place == waiting[-1])
        if not waiting:
            self._rows.settle(work.message, {}, again_at=None, now=self._clock.now())

    def _fetch_file(self, work: _Work, place: int, way: Way | Trouble, *, is_last: bool) -> None:
        media = files_of(work.message)[place]
        got = way if isinstance(way, Trouble) else self._try(work.message, media, way)
        if isinstance(got, Trouble):
            self._settle(work, place, self._after(got, work, media), (), is_last=is_last)
            return
        try:
            self._settle(work, place, here(media, got), [got.id], is_last=is_last)
        except LeaseLost:
            self._storage.drop(got)
            raise
        MEDIA.labels(work.message.provider, "ready").inc()
        MEDIA_BYTES.labels(work.message.provider).inc(got.size)
        MEDIA_SECONDS.observe(max(0.0, (self._clock.now() - work.message.received_at).total_seconds()))

    def _try(self, message: Message, media: Media, way: Way) -> MediaFile | Trouble:
        """Get a file and keep it; whatever fails beside the database is the file's trouble, and said at its message."""
        try:
            return self._kept(message, media, way)
        except Exception as error:
            if is_outage(error):
                raise
            _log.error("media_not_kept", message_id=message.id, error=type(error).__name__, exc_info=True)
            return Trouble("not_kept")

    def _kept(self, message: Message, media: Media, way: Way) -> MediaFile | Trouble:
        with tempfile.TemporaryDirectory(prefix="hookline-media-") as directory:
            arrived = way.fetch(media, Path(directory) / "file")
            if isinstance(arrived, Trouble):
                return arrived
            return self._storage.keep(arrived, message_id=message.id, config_id=message.config_id)

    def _after(self, trouble: Trouble, work: _Work, media: Media) -> Media:
        """Decide what follows from a failed try: another one, or the end."""
        again_at = self._clock.now() + trouble.delay(work.tries)
        goes_on = trouble.is_worth_another_try(work.tries) and again_at < work.give_up_at
        MEDIA.labels(work.message.provider, "again" if goes_on else "failed").inc()
        _log.info("media_not_fetched", message_id=work.message.id, reason=trouble.word, tries=work.tries, again=goes_on)
        if goes_on:
            work.again_at.append(again_at)
        return replace(media, state=MediaState.PENDING if goes_on else MediaState.FAILED, error=trouble.told)

    def _settle(self, work: _Work, place: int, media: Media, files: Sequence[str], *, is_last: bool) -> None:
        now = self._clock.now()
        if is_last:
            again_at = min(work.again_at, default=None)
            self._rows.settle(work.message, {place: media}, files=files, again_at=again_at, now=now)
        else:
            self._rows.settle(work.message, {place: media}, files=files, again_at=now + LEASE, now=now, keep=True)


def here(media: Media, file: MediaFile) -> Media:
    """Describe a file that is with us; its vendor's address is of no more use."""
    return replace(
        media,
        url=PATH + file.id,
        thumbnail_url=f"{PATH}{file.id}/thumbnail" if file.thumbnail_key else None,
        mime_type=file.mime_type,
        file_size=file.size,
        sha256=file.sha256,
        source_url=None,
        state=MediaState.READY,
        error=None,
    )
