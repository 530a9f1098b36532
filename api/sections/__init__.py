"""The sections of the seed's endpoints, one blueprint each.

An endpoint validates nothing and maps no errors: its declaration does. It asks the store's views or a service
and returns documents. No MongoDB, no rules. Registered by `api.app`.
"""

from typing import Final

from api.section import Section
from api.sections import blocks, chats, customers, followups, media, messages, templates, webhooks

SECTIONS: Final[tuple[Section, ...]] = (
    blocks.section,
    chats.section,
    customers.section,
    followups.section,
    media.section,
    messages.section,
    templates.section,
    webhooks.section,
)
