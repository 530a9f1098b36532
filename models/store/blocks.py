"""The verbs on blocked numbers: block, end, look up, and keep chats and vendors in step.

Blocks and chats change in one transaction. Who creates a chat in the same moment may not see a new block, and the
block not the new chat; so a changed row is looked at again a little later. Deliberately no calls to vendors and no
spelling of numbers: those come in canonical.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pymongo import ReturnDocument

from models.blocked_number import BlockedNumber, PushState, VendorBlock
from models.store.audit import Session
from models.store.codec import from_document, to_changes, to_document
from models.store.collections import Documents, Store
from models.values import AddressKind
from runtime.errors import Conflict, NotFound

#: kind, canonical value.
Identity = tuple[str, str]
_IN_FORCE: Final[Mapping[str, Any]] = {"isActive": True, "isDeleted": False}
#: Which field of a block an address of a kind is looked for in.
_FIELDS: Final = {AddressKind.PHONE.value: "phoneNumber", AddressKind.BSUID.value: "userId"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a blocked sender is known: an account, the address as its vendor spells it, and the chat it leads to."""

    config_id: str
    kind: str
    value: str
    chat_id: str | None


def blocked_among(blocks: Documents, identities: Iterable[Identity], session: Session | None = None) -> set[Identity]:
    """Say which of these identities are blocked now."""
    wanted = _by_field(identities)
    if not wanted:
        return set()
    kinds = {name: kind for kind, name in _FIELDS.items()}
    rows = blocks.find(_about(wanted), {"phoneNumber": 1, "userId": 1}, session=session)
    return {(kinds[name], row[name]) for row in rows for name in wanted if row.get(name) in wanted[name]}


def look_again(blocks: Documents, identities: Iterable[Identity], *, now: datetime, session: Session) -> None:
    """Let the blocks of senders who have become known at another account be looked at, and overtake who does so now.

    Whoever is at it has not seen that account yet, and would write down that nothing is left to do.
    """
    wanted = _by_field(identities)
    if wanted:
        due = {"$min": {"nextAttemptAt": now}, "$set": {"updatedAt": now}, "$inc": {"generation": 1}}
        blocks.update_many(_about(wanted), due, session=session)


class Blocks:
    """The blocked numbers."""

    def __init__(self, store: Store) -> None:
        self._blocks = store.blockednumbers
        self._chats = store.chats
        self._addresses = store.addresses
        self._configs = store.whatsappconfigs

    def get(self, block_id: str, *, session: Session | None = None) -> BlockedNumber:
        """Find a block, in force or ended.

        Raises:
            NotFound: there is none.
        """
        row = self._blocks.find_one({"id": block_id, "isDeleted": False}, session=session)
        if row is None:
            raise NotFound(f"There is no blocked number {block_id}.")
        return from_document(BlockedNumber, row)

    def blocked(self, identities: Iterable[Identity], *, session: Session | None = None) -> set[Identity]:
        """Say which of these identities are blocked now."""
        return blocked_among(self._blocks, identities, session)

    def add(self, block: BlockedNumber, *, now: datetime, session: Session) -> None:
        """Store a new block.

        Raises:
            Conflict: one of its identities is blocked already.
        """
        if self.blocked(identities_of(block), session=session):
            raise Conflict("This sender is blocked already.", code="already_blocked")
        self._blocks.insert_one(to_document(block) | {"createdAt": now, "updatedAt": now}, session=session)

    def change(self, block_id: str, values: Mapping[str, Any], *, now: datetime, session: Session) -> None:
        """Set fields of a block, by their Python names, and overtake whoever is at work on it."""
        changes, removals = to_changes({**values, "updated_at": now})
        update = {"$set": changes, "$inc": {"generation": 1}, **({"$unset": removals} if removals else {})}
        self._blocks.update_one({"id": block_id}, update, session=session)

    def keep_vendors(self, block: BlockedNumber, *, now: datetime, session: Session) -> None:
        """Write down which vendors are to be told; it stays with whoever is at work on the block."""
        changes, _ = to_changes({"vendor_blocks": block.vendor_blocks, "updated_at": now})
        self._blocks.update_one({"id": block.id}, {"$set": changes}, session=session)

    def places(self, block: BlockedNumber, *, session: Session | None = None) -> list[Place]:
        """Find where a sender is known, at all accounts."""
        accounts = [
            row["id"] for row in self._configs.find({"isDeleted": False}, {"id": 1}, session=session).sort("id", 1)
        ]
        wanted = [
            {"configId": {"$in": accounts}, "canonical": value, "kind": kind} for kind, value in identities_of(block)
        ]
        rows = self._addresses.find({"$or": wanted}, session=session).sort("id", 1)
        return [Place(row["configId"], row["kind"], row["value"], row.get("chatId")) for row in rows]

    def flag(self, places: Sequence[Place], *, now: datetime, session: Session) -> int:
        """Flag a blocked sender's chats; return how many were not."""
        query = {"id": {"$in": _chats_of(places)}, "isDeleted": False, "blocked": False}
        change = {"$set": {"blocked": True, "updatedAt": now}}
        return self._chats.update_many(query, change, session=session).modified_count

    def unflag(self, places: Sequence[Place], *, now: datetime, session: Session) -> int:
        """Take the flag off a sender's chats, but for those that another block is about; return how many had it."""
        query = {"id": {"$in": _chats_of(places)}, "isDeleted": False, "blocked": True}
        rows = list(self._chats.find(query, {"id": 1, "customerId": 1}, session=session))
        chats = {row["id"]: set[Identity]() for row in rows}
        owners = {"customerId": {"$in": [row["customerId"] for row in rows if "customerId" in row]}}
        for row in self._addresses.find(owners, session=session):
            if row.get("chatId") in chats:
                chats[row["chatId"]].add((row["kind"], row["canonical"]))
        still = self.blocked({one for found in chats.values() for one in found}, session=session)
        free = [chat_id for chat_id, found in chats.items() if not found & still]
        change = {"$set": {"blocked": False, "updatedAt": now}}
        return self._chats.update_many({"id": {"$in": free}}, change, session=session).modified_count

    def give_up_pushes(self, block: BlockedNumber, *, now: datetime, session: Session) -> datetime | None:
        """Let earlier blocks of the same sender tell vendors nothing more; return until when one is still at it."""
        earlier = {"isActive": False, "nextAttemptAt": {"$exists": True}}
        query = {**earlier, "$or": [{_FIELDS[kind]: value} for kind, value in identities_of(block)]}
        leases = []
        for row in self._blocks.find(query, session=session):
            found = from_document(BlockedNumber, row)
            for one in found.vendor_blocks:
                _drop(one)
            values = {"vendor_blocks": found.vendor_blocks, "next_attempt_at": None}
            self.change(found.id, values, now=now, session=session)
            leases += [found.lease_until] if found.lease_until and found.lease_until > now else []
        return max(leases, default=None)

    def due(self, *, now: datetime, limit: int) -> list[str]:
        """Ids of blocks that somebody has to look at, the longest due first."""
        rows = self._blocks.find(_free(now), {"id": 1, "_id": 0}).sort("nextAttemptAt", 1).limit(limit)
        return [row["id"] for row in rows]

    def claim(self, block_id: str, *, now: datetime, until: datetime) -> BlockedNumber | None:
        """Take a block upon oneself until a moment, unless somebody else has."""
        change = {"$set": {"leaseUntil": until}, "$inc": {"generation": 1}}
        row = self._blocks.find_one_and_update(
            {"id": block_id, **_free(now)}, change, return_document=ReturnDocument.AFTER
        )
        return None if row is None else from_document(BlockedNumber, row)

    def finish(self, claimed: BlockedNumber, *, next_attempt_at: datetime | None, now: datetime) -> bool:
        """Write down what became of the vendors' lists, and when to look again; false where it was overtaken."""
        values = {"vendor_blocks": claimed.vendor_blocks, "next_attempt_at": next_attempt_at, "updated_at": now}
        changes, removals = to_changes({**values, "lease_until": None})
        held = {"id": claimed.id, "generation": claimed.generation}
        if self._blocks.update_one(held, {"$set": changes, "$unset": removals}).matched_count:
            return True
        self._blocks.update_one({"id": claimed.id, "leaseUntil": claimed.lease_until}, {"$unset": {"leaseUntil": ""}})
        return False


def _by_field(identities: Iterable[Identity]) -> dict[str, set[str]]:
    wanted: dict[str, set[str]] = {}
    for kind, value in identities:
        if kind in _FIELDS:
            wanted.setdefault(_FIELDS[kind], set()).add(value)
    return wanted


def _about(wanted: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    return {**_IN_FORCE, "$or": [{name: {"$in": list(values)}} for name, values in wanted.items()]}


def identities_of(block: BlockedNumber) -> list[Identity]:
    """What a block is about."""
    found = ((AddressKind.PHONE.value, block.phone_number), (AddressKind.BSUID.value, block.user_id))
    return [(kind, value) for kind, value in found if value]


def _drop(one: VendorBlock) -> None:
    if one.state is PushState.PENDING:
        one.state, one.error, one.next_attempt_at = PushState.FAILED, "blocked_again", None


def _chats_of(places: Sequence[Place]) -> list[str]:
    return list({place.chat_id for place in places if place.chat_id})


def _free(now: datetime) -> dict[str, Any]:
    return {
        "nextAttemptAt": {"$lte": now},
        "$or": [{"leaseUntil": {"$exists": False}}, {"leaseUntil": {"$lte": now}}],
    }
