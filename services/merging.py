"""People's word that two customers are one, and that they are not after all.

Audited with what moved; done twice it changes nothing more. Deliberately no chats are united: each has an address of
its own, and answers go there.
"""

from collections.abc import Iterator

from models.audit_entry import AuditEntry
from models.caller import Caller
from models.customer_merge import CustomerMerge
from models.store.audit import Session
from models.store.merges import Merges
from runtime.clock import Clock
from runtime.errors import Invalid
from services.auditing import Auditing


class Merging:
    """Merges customers, and takes it back."""

    def __init__(self, merges: Merges, auditing: Auditing, clock: Clock) -> None:
        self._merges = merges
        self._auditing = auditing
        self._clock = clock

    def merge(self, gone_id: str, kept_id: str, *, by: Caller | None, reason: str | None = None) -> None:
        """Let one customer end in another.

        Raises:
            Invalid: they are the same.
            NotFound: there is no such customer.
            Conflict: one of them has ended in somebody else.
        """
        if gone_id == kept_id:
            raise Invalid("A customer cannot be merged into itself.", fields={"into": ["Name another customer."]})
        who, now = by.agent_id or by.token_id if by else None, self._clock.now()

        def change(session: Session) -> CustomerMerge | None:
            return self._merges.merge(gone_id, kept_id, by=who, now=now, session=session)

        def entries(merge: CustomerMerge | None) -> Iterator[AuditEntry]:
            if merge is not None:
                yield self._entry(merge, "merge", by=by, reason=reason)

        self._auditing.recorded(change, entries)

    def undo(self, gone_id: str, *, by: Caller | None, reason: str | None = None) -> None:
        """Bring a customer back that a person's merge ended, with what was moved; what came since stays in its chat.

        Raises:
            NotFound: there is no such customer.
            Conflict: it was no person's merge that ended it.
        """
        now = self._clock.now()

        def change(session: Session) -> CustomerMerge | None:
            return self._merges.undo(gone_id, now=now, session=session)

        def entries(merge: CustomerMerge | None) -> Iterator[AuditEntry]:
            if merge is not None:
                yield self._entry(merge, "unmerge", by=by, reason=reason)

        self._auditing.recorded(change, entries)

    def _entry(self, merge: CustomerMerge, verb: str, *, by: Caller | None, reason: str | None) -> AuditEntry:
        moved = {"chats": merge.chat_ids, "addresses": merge.address_ids}
        apart, together = {"customerId": merge.customer_id, **moved}, {"customerId": merge.into_id, **moved}
        before, after = (apart, together) if verb == "merge" else (together, apart)
        return self._auditing.entry(
            by=by,
            verb=verb,
            entity="customer",
            entity_id=merge.customer_id,
            before=before,
            after=after | {"filled": sorted(merge.filled)},
            reason=reason,
        )
