"""Whose an address is at a moment: numbers change hands, and messages come late.

An address has a present holder and maybe former ones; what is judged by the vendor's time finds the holder of that
time. Deliberately no judgement about who is who: that is `services.conversing.parties`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from models.address import Address, Tenure
from models.store.batch import Tracked

#: The vendor's word that a number was given up counts from just after the moment it names.
AFTER: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Seat:
    """An address in the hands of one holder; `former` is the holder's place among the former ones."""

    address: Tracked[Address]
    former: int | None = None

    @property
    def _holder(self) -> Address | Tenure:
        entity = self.address.entity
        return entity if self.former is None else entity.former[self.former]

    @property
    def customer_id(self) -> str | None:
        """Whose it is in this seat."""
        return self._holder.customer_id

    @property
    def chat_id(self) -> str | None:
        """Where this holder's messages go."""
        return self._holder.chat_id

    def set(self, **values: Any) -> None:
        """Change whose it is in this seat, or where messages go."""
        if self.former is None:
            self.address.set(**values)
            return
        tenures = list(self.address.entity.former)
        tenures[self.former] = replace(tenures[self.former], **values)
        self.address.set(former=tenures)


def seat_at(address: Tracked[Address], at: datetime) -> Seat:
    """Find whose an address was at a moment."""
    for place, tenure in enumerate(address.entity.former):
        if at < tenure.until:
            return Seat(address, place)
    return Seat(address)


def seen_in(seat: Seat, at: datetime) -> None:
    """Note that the present holder had it at a moment."""
    since = seat.address.entity.since
    if seat.former is None and (since is None or at < since):
        seat.address.set(since=at)


def hand_over(seat: Seat, at: datetime) -> Seat:
    """Make room for another holder at a moment: after the present one, or before where the evidence is older."""
    entity = seat.address.entity
    if seat.former is None and (entity.since is None or at >= entity.since):
        leave(seat, at)
        seat.address.set(since=at)
        return Seat(seat.address)
    place = len(entity.former) if seat.former is None else seat.former
    until = entity.since if seat.former is None else at
    tenures = list(entity.former)
    tenures.insert(place, Tenure(until=until or at))
    seat.address.set(former=tenures)
    return Seat(seat.address, place)


def leave(seat: Seat, until: datetime) -> None:
    """End a holder's time; the address waits for whoever has it next."""
    if seat.former is not None:
        if until < seat.address.entity.former[seat.former].until:
            seat.set(until=until)
        return
    entity = seat.address.entity
    if entity.customer_id is not None:
        ended = Tenure(customer_id=entity.customer_id, chat_id=entity.chat_id, until=until)
        seat.address.set(former=[*entity.former, ended], customer_id=None, chat_id=None, since=None)
