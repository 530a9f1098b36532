"""The ChatAPI dialect (chat-api.com, its clones, and 1msg's subset): from a secret URL to our words.

Here live the account form, the token check and one reader per kind of item.
Never here: a database, a clock, HTTP, another vendor. Reached through `providers.registry` alone.
"""

from providers.chatapi.dialect import ChatApi

__all__ = ["PROVIDER", "ChatApi"]

PROVIDER = ChatApi()
