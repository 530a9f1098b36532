"""An agent's day in figures (seed §12), in the reporting time zone.

Deliberately no running counters: a row is recomputed from the facts, so computing it twice changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class AgentPerformance:
    """Figures of one agent and day; times in seconds, satisfaction 1 to 5, `resolution_rate` in percent."""

    id: str
    agent_id: str
    #: Midnight, in the reporting time zone, of the day the figures are for.
    date: datetime

    total_chats: int = 0
    chats_assigned: int = 0
    chats_resolved: int = 0
    chats_transferred: int = 0
    messages_sent: int = 0
    messages_received: int = 0
    avg_response_time: float | None = None
    first_response_time: float | None = None
    total_active_time: float | None = None
    avg_chat_duration: float | None = None
    customer_satisfaction: float | None = None
    resolution_rate: float | None = None

    created_at: datetime | None = None
    updated_at: datetime | None = None
