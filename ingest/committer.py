"""Group commit: the webhooks that arrive while one group is being journaled form the next.

The previous commit is the window, so no timer is needed and a lone webhook never waits. A caller is
answered only after its own row is durable. Deliberately no retry: the vendor retries, and is recognised.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Final

from models.store.intake import Intake, IntakeRow, Stored
from runtime.errors import HooklineError, Unavailable
from runtime.logs import logger
from runtime.metrics import COMMIT_GROUP, INTAKE_WAITING

#: Rows of one group, at most.
MAX_GROUP: Final = 256
#: Bytes of one group, at most: well below MongoDB's message limit, so that a group is one round trip.
MAX_GROUP_BYTES: Final = 12 * 1024 * 1024
#: Bytes of rows that may wait in one process, unless told otherwise.
WAITING_BYTES: Final = 64 * 1024 * 1024

_log = logger(__name__)
Listener = Callable[[Sequence[IntakeRow], Sequence[Stored]], None]


@dataclass(slots=True)
class _Waiter:
    """A row and the place where its request waits for the verdict."""

    row: IntakeRow
    verdict: "SimpleQueue[Stored | None]" = field(default_factory=SimpleQueue)


class Committer:
    """One thread that writes groups; `submit` may be called from any number of request threads."""

    def __init__(
        self,
        intake: Intake,
        *,
        limit: int,
        patience: float,
        committed: Listener,
        limit_bytes: int = WAITING_BYTES,
    ) -> None:
        self._intake = intake
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._patience = patience
        self._committed = committed
        self._queue: SimpleQueue[_Waiter] = SimpleQueue()
        #: Bytes of the rows in the queue; those whose request gave up are in it too until their turn comes.
        self._waiting_bytes = 0
        self._counting = threading.Lock()
        threading.Thread(target=self._run, name="committer", daemon=True).start()

    def submit(self, row: IntakeRow) -> Stored:
        """Wait until the row is durable.

        Raises:
            Unavailable: too many wait already, it took too long, or MongoDB did not confirm.
            HooklineError: MongoDB refused this row for good.
        """
        waiter = self._enqueue(row)
        try:
            verdict = waiter.verdict.get(timeout=self._patience)
        except Empty:
            raise Unavailable("the database did not confirm in time") from None
        if verdict in {None, Stored.MISSED}:
            raise Unavailable("the database did not confirm")
        if verdict is Stored.REFUSED:
            raise HooklineError("the database refused the webhook")
        return verdict

    def _enqueue(self, row: IntakeRow) -> _Waiter:
        waiter = _Waiter(row)
        with self._counting:
            if self._queue.qsize() >= self._limit or self._waiting_bytes + row.size > self._limit_bytes:
                raise Unavailable("too many webhooks are waiting")
            self._waiting_bytes += row.size
            self._queue.put(waiter)
        return waiter

    def _run(self) -> None:
        while True:
            try:
                self._commit(self._gather())
            except Exception as error:  # noqa: BLE001  the thread must outlive every failure: without it nothing is stored
                _log.error("committer_stumbled", error=type(error).__name__, exc_info=True)

    def _gather(self) -> list[_Waiter]:
        """Take whatever waits, at least one."""
        group = [self._queue.get()]
        size = group[0].row.size
        while len(group) < MAX_GROUP and size < MAX_GROUP_BYTES:
            try:
                group.append(self._queue.get_nowait())
            except Empty:
                break
            size += group[-1].row.size
        with self._counting:
            self._waiting_bytes -= size
        COMMIT_GROUP.observe(len(group))
        INTAKE_WAITING.set(self._queue.qsize())
        return group

    def _commit(self, group: Sequence[_Waiter]) -> None:
        rows = [waiter.row for waiter in group]
        try:
            results = self._intake.store(rows)
        except Exception as error:  # noqa: BLE001  whatever it was, nothing is promised about any row of the group
            _log.warning("commit_failed", error=type(error).__name__, rows=len(rows))
            for waiter in group:
                waiter.verdict.put(None)
            return
        for waiter, result in zip(group, results, strict=True):
            waiter.verdict.put(result)
        self._committed(rows, results)
