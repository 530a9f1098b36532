"""The sections of the seed's endpoints, one blueprint each.

An endpoint validates nothing and maps no errors: its declaration does. It asks the store's views or a service
and returns documents. No MongoDB, no rules. Registered by `api.app`.
"""

from typing import Final

from api.section import Section
from api.sections import chats, messages, webhooks

SECTIONS: Final[tuple[Section, ...]] = (chats.section, messages.section, webhooks.section)
