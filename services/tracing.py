"""Following one message through the house: which webhooks brought it, each attempt to send it, what was heard since.

Goes by our id or the vendor's, of a message in either direction, and of one that never became a message too.
Deliberately nothing of what a message says, and no effects.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from models.store.histories import Histories, Row
from runtime.errors import Conflict, NotFound

#: How long before a message was stored a webhook may have spoken of it: a status waits so long for its message.
BEFORE: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is known of a message; `message` is None where there are only webhooks that speak of one."""

    message: Row | None
    webhooks: list[Row] = field(default_factory=list)
    waiting: list[Row] = field(default_factory=list)
    audit: list[Row] = field(default_factory=list)


class Tracing:
    """Finds out what became of messages."""

    def __init__(self, histories: Histories) -> None:
        self._histories = histories

    def history(self, named: str) -> History:
        """Gather all that is known of a message, by our id or the vendor's.

        Raises:
            NotFound: nobody ever spoke of it, or it is forgotten.
            Conflict: several accounts have a message of this id; their own are named.
        """
        message = self._message(named)
        if message is None:
            webhooks = self._histories.webhooks([named], [named], None)
            waiting = self._histories.waiting([named])
            if not webhooks and not waiting:
                raise NotFound(f"There is no message {named}, and no webhook about it.")
            return History(message=None, webhooks=webhooks, waiting=waiting)
        vendor_ids = _vendor_ids(message)
        return History(
            message=message,
            webhooks=self._histories.webhooks([message["id"]], vendor_ids, _since(message)),
            waiting=self._histories.waiting(vendor_ids),
            audit=self._histories.acts(message["id"]),
        )

    def _message(self, named: str) -> Row | None:
        """Find the message; an id that an earlier attempt had stands only in the webhooks about it."""
        found = self._histories.messages([named])
        if not found:
            told = self._histories.webhooks([], [named], None)
            ids = {item["messageId"] for row in told for item in row["items"] if "messageId" in item}
            found = self._histories.messages(ids) if ids else []
        if len(found) > 1:
            raise Conflict(f"Several messages have the id {named}: {', '.join(one['id'] for one in found)}.")
        return found[0] if found else None


def _vendor_ids(message: Row) -> list[str]:
    """All ids that the vendor gave a message: each attempt has its own."""
    attempts: list[dict[str, Any]] = message.get("attempts") or []
    ids = (one.get("providerMessageId") for one in [message, *attempts])
    return [one for one in dict.fromkeys(ids) if one]


def _since(message: Row) -> datetime | None:
    stored: datetime | None = message.get("createdAt")
    return stored - BEFORE if stored else None
