"""What a vendor is to be told of our reading: one row per chat, gone once a worker has taken it upon itself.

It is not part of the chat, because what is indexed there makes every change of a chat dearer (docs/decisions/0012).
Deliberately nothing of what the vendor said: a receipt is a courtesy.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class Receipt:
    """One chat's row; `id` is the chat's."""

    id: str
    #: The newest message that was read (ours).
    message_id: str
    due_at: datetime
    #: How often it was tried in vain.
    attempts: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None
