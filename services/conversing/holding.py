"""Whose a number is at a moment: numbers pass from person to person, and words about it come late.

What the vendor says cuts a number's time into tenures: somebody with this BSUID had it, it was given up, it was
taken over. Of each the earliest word counts, so the cuts are the same in whatever order the words come; a message
that tells nothing but the number belongs to the tenure of its moment, and moves if a cut is learnt of later. What
nobody knows the holder of belongs to the next one who is known. Deliberately no judgement about who is who: that is
`services.conversing.parties`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from models.address import Address, Tenure
from models.store.batch import Tracked

_FIELDS: Final = tuple(one.name for one in fields(Tenure))
_EVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Seat:
    """An address in the hands of one holder; `place` is the tenure's among all."""

    address: Tracked[Address]
    place: int = 0

    @property
    def _tenure(self) -> Address | Tenure:
        entity = self.address.entity
        return entity.former[self.place] if self.place < len(entity.former) else entity

    @property
    def customer_id(self) -> str | None:
        """Whose it is in this seat."""
        return self._tenure.customer_id

    @property
    def chat_id(self) -> str | None:
        """Where this holder's messages go."""
        return self._tenure.chat_id

    @property
    def is_present(self) -> bool:
        """Whether the holder still has it."""
        return self.place == len(self.address.entity.former)

    def set(self, **values: Any) -> None:
        """Change whose it is in this seat, or where messages go."""
        tenure = self._tenure
        changed = {name: value for name, value in values.items() if getattr(tenure, name) != value}
        if not changed:
            return
        if self.is_present:
            self.address.set(**changed)
            return
        former = list(self.address.entity.former)
        former[self.place] = replace(former[self.place], **changed)
        self.address.set(former=former)


@dataclass(frozen=True, slots=True)
class Word:
    """What the vendor says of a number: from a moment on somebody has it, by BSUID where that is told."""

    at: datetime
    key: str
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Passing:
    """A stretch of a number's time that turns out to be somebody else's."""

    was: Tenure
    now: Tenure
    since: datetime | None
    until: datetime | None


def tenures_of(address: Address) -> list[Tenure]:
    """All who had a number, the earliest first."""
    return [*address.former, Tenure(**{name: getattr(address, name) for name in _FIELDS})]


def seat_at(address: Tracked[Address], at: datetime) -> Seat:
    """Find whose an address was at a moment."""
    return Seat(address, _place_at(tenures_of(address.entity), at) if address.entity.former else 0)


def seat_of(address: Tracked[Address], user_id: str) -> Seat:
    """Find the seat of the holder with a BSUID, of whom there was a word."""
    former = address.entity.former
    return Seat(address, next((place for place, one in enumerate(former) if one.user_id == user_id), len(former)))


def hear(address: Tracked[Address], word: Word) -> list[Passing]:
    """Take a word on a number; return what turns out to be somebody else's by it."""
    entity = address.entity
    if word.user_id and entity.user_id == word.user_id and _order(entity) <= (word.at, word.key):
        return []
    before = tenures_of(entity)
    after = _with(before, word)
    if after == before:
        return []
    *former, present = after
    told = {name: getattr(present, name) for name in _FIELDS}
    changed = {name: value for name, value in told.items() if value != getattr(entity, name)}
    address.set(**changed, **({} if former == entity.former else {"former": former}))
    return list(_passings(before, after))


def is_over(passing: Passing, address: Address) -> bool:
    """Whether the former holder of a stretch turns out to be nobody but the present one."""
    tenures = tenures_of(address)
    return not passing.was.user_id and all(_name(_seen(tenures, one)) != _name(passing.was) for one in tenures)


def _with(tenures: Sequence[Tenure], word: Word) -> list[Tenure]:
    """Add a word's tenure, or move its beginning; the unknown beginning is the first known holder's."""
    known = next((one for one in tenures if _is_of(one, word)), None)
    if known is not None and _order(known) <= (word.at, word.key):
        return list(tenures)
    new = replace(known or Tenure(user_id=word.user_id), since=word.at, since_key=word.key)
    found = sorted([new, *(one for one in tenures if one is not known)], key=_order)
    if found[0].since is None and found[1].user_id:
        return found[1:]
    return found if found[0].since is None or found[0].user_id else [Tenure(), *found]


def _is_of(tenure: Tenure, word: Word) -> bool:
    if word.user_id:
        return tenure.user_id == word.user_id
    return tenure.user_id is None and (tenure.since, tenure.since_key) == (word.at, word.key)


def _order(tenure: Tenure | Address) -> tuple[datetime, str]:
    return tenure.since or _EVER, tenure.since_key or ""


def _place_at(tenures: Sequence[Tenure], at: datetime) -> int:
    """Find the tenure of a moment; one of nobody known is the next one's who is."""
    place = max((place for place, one in enumerate(tenures) if (one.since or _EVER) <= at), default=0)
    following = tenures[place + 1 : place + 2]
    return place + 1 if tenures[place].user_id is None and following and following[0].user_id else place


def _seen(tenures: Sequence[Tenure], tenure: Tenure) -> Tenure:
    """Whose a tenure is taken to be."""
    place = tenures.index(tenure)
    following = tenures[place + 1 : place + 2]
    return following[0] if tenure.user_id is None and following and following[0].user_id else tenure


def _passings(before: Sequence[Tenure], after: Sequence[Tenure]) -> Iterator[Passing]:
    moments = sorted({one.since for one in (*before, *after) if one.since})
    for since, until in pairwise([None, *moments, None]):
        was, now = (tenures[_place_at(tenures, since or _EVER)] for tenures in (before, after))
        if _name(was) != _name(now):
            yield Passing(was, now, since, until)


def _name(tenure: Tenure) -> Any:
    """What makes a tenure this one and no other."""
    return tenure.user_id or (tenure.since, tenure.since_key)
