"""Writing down who did what, together with the doing (seed note 9).

Deliberately no reading and no judging of permissions: the doors let callers in, this remembers.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from models.audit_entry import ActorType, AuditEntry
from models.caller import Caller
from models.ids import new_id
from models.store.audit import AuditTrail, Session
from runtime.clock import Clock
from runtime.logs import context_to_carry

R = TypeVar("R")


class Auditing:
    """Makes audited changes."""

    def __init__(self, trail: AuditTrail, clock: Clock) -> None:
        self._trail = trail
        self._clock = clock

    def audited(
        self,
        change: Callable[[Session], R],
        *,
        by: Caller | None,
        verb: str,
        entity: str,
        entity_id: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> R:
        """Make a change and record it, or neither; `by` is None for Hookline itself.

        `change` may run more than once and does nothing but write within its transaction.
        """
        entry = self.entry(
            by=by, verb=verb, entity=entity, entity_id=entity_id, before=before, after=after, reason=reason
        )
        return self._trail.together(change, entry)

    def recorded(self, change: Callable[[Session], R], entries: Callable[[R], Iterable[AuditEntry]]) -> R:
        """Make a change and record what came of it, in as many entries as its result is worth, or neither.

        Both may run more than once; `change` does nothing but read and write within its transaction.
        """
        return self._trail.recording(change, entries)

    def recall(self, entry_id: str) -> AuditEntry:
        """Find what was recorded.

        Raises:
            NotFound: there is no such entry.
        """
        return self._trail.entry(entry_id)

    def entry(
        self,
        *,
        by: Caller | None,
        verb: str,
        entity: str,
        entity_id: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> AuditEntry:
        """Put into words what happens now; `by` is None for Hookline itself."""
        return AuditEntry(
            id=new_id("aud"),
            **_actor(by),
            verb=verb,
            entity=entity,
            entity_id=entity_id,
            before=dict(before) if before else None,
            after=dict(after) if after else None,
            reason=reason,
            at=self._clock.now(),
            request_id=context_to_carry().get("request_id"),
        )


def _actor(by: Caller | None) -> dict[str, Any]:
    if by is None:
        return {"actor_type": ActorType.SYSTEM}
    if by.agent_id:
        return {"actor_type": ActorType.AGENT, "actor_id": by.agent_id, "actor_name": by.name}
    return {"actor_type": ActorType.TOKEN, "actor_id": by.token_id, "actor_name": by.name}
