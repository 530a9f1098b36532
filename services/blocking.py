"""Blocking senders: here at once, with their chats, and on the vendors' own lists as soon as those take it.

What a blocked sender writes is still stored; it is flagged, and nobody is disturbed. A vendor is told by a row with a
due time, again and again while that can help. Deliberately no filter on the way in: `services.conversing` flags what
comes, since a block is about people, and people are known there.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from models.audit_entry import AuditEntry
from models.blocked_number import BlockedNumber, PushState, VendorBlock
from models.caller import Caller
from models.ids import new_id
from models.spelling import canonical
from models.store.audit import Session
from models.store.blocks import Blocks, Place
from models.values import AddressKind
from providers.base import Account, Provider
from providers.outbound import BlockList, Destination, ErrorKind, SendError
from runtime.calls import CallError, HttpAnswer, HttpRequest
from runtime.clock import Clock
from runtime.errors import Invalid
from runtime.logs import logger
from runtime.metrics import VENDOR_BLOCKS
from services.auditing import Auditing

#: What blocks are called in the audit trail.
ENTITY: Final = "blockedNumber"
#: A transaction that began before a block and commits after it may have made a chat that the block did not see; none
#: lives longer than this, so after it a changed block is looked at once more.
SETTLED_AFTER: Final = timedelta(minutes=2)
#: How long one who looks after a block may take before another does.
LEASE: Final = timedelta(minutes=2)
#: Blocks looked after in one turn, at most.
LIMIT: Final = 100
#: How long a vendor may take to answer.
DEADLINE: Final = timedelta(seconds=15)
#: How long to wait after each try that failed; after the last, the vendor is not asked again.
PAUSES: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720))

_log = logger(__name__)


class Calls(Protocol):
    """Makes HTTP calls (`runtime.outgoing.Outgoing`)."""

    def call(self, request: HttpRequest, *, deadline: timedelta) -> HttpAnswer:
        """Make a call and wait for its answer.

        Raises:
            CallError: there is none.
        """
        ...


class Blocking:
    """Blocks senders, ends blocks, and keeps chats and vendors in step."""

    def __init__(
        self,
        blocks: Blocks,
        auditing: Auditing,
        clock: Clock,
        *,
        account: Callable[[str], Account | None],
        providers: Mapping[str, Provider],
        calls: Calls,
        base_url: Callable[[Account], str],
    ) -> None:
        self._blocks = blocks
        self._auditing = auditing
        self._clock = clock
        self._account = account
        self._providers = providers
        self._calls = calls
        self._base_url = base_url

    def block(
        self,
        *,
        by: Caller,
        phone_number: str | None = None,
        user_id: str | None = None,
        reason: str | None = None,
        notes: str | None = None,
    ) -> BlockedNumber:
        """Block a sender by number, by user id, or by both, with all chats there are; audited.

        Raises:
            Invalid: neither is given.
            Conflict: one of them is blocked already.
        """
        if not (phone_number or user_id):
            raise Invalid("nobody is named", fields={"phoneNumber": ["Give a phoneNumber, a userId, or both."]})
        now = self._clock.now()
        block = BlockedNumber(
            id=new_id("blk", now),
            phone_number=canonical_phone(phone_number) if phone_number else None,
            user_id=user_id or None,
            reason=reason,
            notes=notes,
            blocked_by=by.agent_id or by.token_id,
            blocked_by_name=by.name,
            blocked_at=now,
        )
        self._auditing.audited(
            lambda session: self._put_in_force(block, now, session),
            by=by,
            verb="block",
            entity=ENTITY,
            entity_id=block.id,
            reason=reason,
        )
        _log.info("sender_blocked", block_id=block.id, accounts=len(block.vendor_blocks))
        return block

    def unblock(self, block_id: str, *, by: Caller) -> BlockedNumber:
        """End a block, with its chats' flags; once more changes nothing. Audited.

        Raises:
            NotFound: there is none.
        """

        def end(session: Session) -> tuple[BlockedNumber, bool]:
            block = self._blocks.get(block_id, session=session)
            if not block.is_active:
                return block, False
            self._end(block, by, session)
            return block, True

        def entries(ended: tuple[BlockedNumber, bool]) -> Iterator[AuditEntry]:
            if ended[1]:
                yield self._auditing.entry(by=by, verb="unblock", entity=ENTITY, entity_id=block_id)

        return self._auditing.recorded(end, entries)[0]

    def is_blocked(self, *, phone: str | None = None, user_id: str | None = None) -> bool:
        """Whether a person is blocked under one of these."""
        identities = [(AddressKind.BSUID.value, user_id)] if user_id else []
        if phone:
            identities.append((AddressKind.PHONE.value, canonical_phone(phone)))
        return bool(self._blocks.blocked(identities))

    def attend(self) -> int:
        """Look after the blocks that are due: chats made in the same moment, vendors not told yet; return how many."""
        now = self._clock.now()
        due = self._blocks.due(now=now, limit=LIMIT)
        claimed = (self._blocks.claim(block_id, now=self._clock.now(), until=now + LEASE) for block_id in due)
        return sum(self._attend(block) for block in claimed if block is not None)

    def _put_in_force(self, block: BlockedNumber, now: datetime, session: Session) -> None:
        busy_until = self._blocks.give_up_pushes(block, now=now, session=session)
        places = self._blocks.places(block, session=session)
        due = busy_until or now
        block.vendor_blocks = self._new_vendors(block, places, due=due)
        block.next_attempt_at = due
        self._blocks.add(block, now=now, session=session)
        self._blocks.flag(places, now=now, session=session)

    def _end(self, block: BlockedNumber, by: Caller, session: Session) -> None:
        now = self._clock.now()
        values = {
            "is_active": False,
            "unblocked_at": now,
            "unblocked_by": by.agent_id or by.token_id,
            "next_attempt_at": now,
            # The vendor may have taken what it never answered: only what it refused at once needs no end.
            "vendor_blocks": [
                VendorBlock(config_id=one.config_id, next_attempt_at=now)
                for one in block.vendor_blocks
                if one.attempts or one.state is not PushState.FAILED
            ],
        }
        self._blocks.change(block.id, values, now=now, session=session)
        self._blocks.unflag(self._blocks.places(block, session=session), now=now, session=session)

    def _attend(self, block: BlockedNumber) -> bool:
        """Bring chats and vendors in step with a claimed block; nothing is written where it changed meanwhile."""
        fresh, places = self._auditing.recorded(lambda session: self._settle(block.id, session), lambda _: ())
        block.vendor_blocks = fresh.vendor_blocks
        for one in block.vendor_blocks if fresh.generation == block.generation else ():
            if one.next_attempt_at is not None and one.next_attempt_at <= self._clock.now():
                self._push(block, one, places)
        now = self._clock.now()
        return self._blocks.finish(block, next_attempt_at=_next_look(block, now), now=now)

    def _settle(self, block_id: str, session: Session) -> tuple[BlockedNumber, list[Place]]:
        """Flag, or free, the chats that a change of the block may not have seen; take up accounts new to the sender."""
        now = self._clock.now()
        fresh = self._blocks.get(block_id, session=session)
        places = self._blocks.places(fresh, session=session)
        bring = self._blocks.flag if fresh.is_active else self._blocks.unflag
        bring(places, now=now, session=session)
        new = self._new_vendors(fresh, places, due=now) if fresh.is_active else []
        if new:
            fresh.vendor_blocks += new
            # Before the vendor is told: whoever ends the block must know whom to tell.
            self._blocks.keep_vendors(fresh, now=now, session=session)
        return fresh, places

    def _new_vendors(self, block: BlockedNumber, places: list[Place], *, due: datetime) -> list[VendorBlock]:
        """The vendors to be told, of accounts where the sender is known and the block was not before."""
        known = {one.config_id for one in block.vendor_blocks}
        accounts = dict.fromkeys(place.config_id for place in places if place.config_id not in known)
        return [VendorBlock(config_id=one, next_attempt_at=due) for one in accounts if self._list_of(one)]

    def _push(self, block: BlockedNumber, one: VendorBlock, places: list[Place]) -> None:
        """Tell one vendor, and note in the row what it said."""
        account, book = self._account(one.config_id), self._list_of(one.config_id)
        if account is None or book is None:
            one.state, one.error, one.next_attempt_at = PushState.FAILED, "no_account", None
            return
        who = _destination([place for place in places if place.config_id == one.config_id])
        try:
            request = book.change(account, base_url=self._base_url(account), who=who, blocked=block.is_active)
            refusal = book.changed(self._calls.call(request, deadline=DEADLINE))
        except Invalid as error:
            one.state, one.error, one.next_attempt_at = PushState.FAILED, str(error), None
        except CallError as error:
            _again(one, error.reason, self._clock.now())
        else:
            _note(one, refusal, self._clock.now())
        VENDOR_BLOCKS.labels(account.provider, one.state.value).inc()
        _log.info("vendor_told_of_block", block_id=block.id, config_id=one.config_id, state=one.state.value)

    def _list_of(self, config_id: str) -> BlockList | None:
        account = self._account(config_id)
        provider = self._providers.get(account.provider) if account else None
        return provider.blocks if provider else None


def canonical_phone(number: str) -> str:
    """The form in which a number is blocked and looked up, whichever of its spellings is given."""
    return canonical(AddressKind.PHONE, number)


def _note(one: VendorBlock, refusal: SendError | None, now: datetime) -> None:
    """Note a vendor's answer; what it will never take (a sender silent for a day, say) is not asked again."""
    if refusal is None:
        one.state, one.error, one.next_attempt_at = PushState.DONE, None, None
    elif refusal.kind is ErrorKind.FINAL:
        one.state, one.error, one.next_attempt_at = PushState.FAILED, _words(refusal), None
    else:
        _again(one, _words(refusal), now, at_least=refusal.retry_after)


def _again(one: VendorBlock, error: str, now: datetime, *, at_least: timedelta | None = None) -> None:
    """Wait for the next try, or give up after the last. Saying it twice is harmless: a list knows nobody twice."""
    one.error = error
    one.attempts += 1
    if one.attempts > len(PAUSES):
        one.state, one.next_attempt_at = PushState.FAILED, None
    else:
        one.next_attempt_at = now + max(PAUSES[one.attempts - 1], min(at_least or timedelta(0), PAUSES[-1]))


def _words(refusal: SendError) -> str:
    error = refusal.error
    return ": ".join(word for word in (error.code, error.title or error.message) if word) or refusal.kind.value


def _next_look(block: BlockedNumber, now: datetime) -> datetime | None:
    changed = block.blocked_at if block.is_active else block.unblocked_at
    settled = changed + SETTLED_AFTER if changed else None
    looks = [one.next_attempt_at for one in block.vendor_blocks if one.next_attempt_at]
    if settled and now < settled:
        looks.append(settled)
    return min(looks, default=None)


def _destination(places: list[Place]) -> Destination:
    """How a vendor knows the person: by every identity seen."""
    values = {place.kind: place.value for place in places}
    return Destination(phone=values.get(AddressKind.PHONE.value), user_id=values.get(AddressKind.BSUID.value))
