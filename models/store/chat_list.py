"""Where a chat stands in the lists: by the time of its newest message.

`lastMessageTime` is in three indexes, and writing an indexed field in a transaction is several times dearer than
after it (docs/decisions/0012). So applying webhooks writes `lastMessage` with the effects, and the place in the lists
follows from that after the commit. Deliberately nothing that could tell another time than `lastMessage` does.
"""

from collections.abc import Sequence
from typing import Any, Final

from models.store.batch import Batch
from models.store.collections import Documents
from models.store.transactions import insist

_PLACE: Final = "last_message_time"
_FROM_NEWEST: Final[list[dict[str, Any]]] = [{"$set": {"lastMessageTime": "$lastMessage.timestamp"}}]


def leave_unlisted(batch: Batch) -> list[Any]:
    """Take the changed places of stored chats out of what a transaction will write; return the chats' keys."""
    moved = [chat for chat in batch.chats.values() if not chat.is_new and chat.changes.get(_PLACE)]
    for chat in moved:
        del chat.changes[_PLACE]
    return [chat.key for chat in moved]


def enlist(chats: Documents, keys: Sequence[Any]) -> None:
    """Give chats the place of their newest message; may be repeated, and come late."""
    if keys:
        insist(lambda: chats.update_many({"_id": {"$in": list(keys)}}, _FROM_NEWEST))
