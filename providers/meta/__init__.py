"""The Meta dialect: WhatsApp Cloud API webhooks, from signed bytes to our words.

Here live the account form, the signature, the handshake and one reader per kind of item.
Never here: a database, a clock, HTTP, another vendor. Reached through `providers.registry` alone.
"""

from providers.meta.dialect import Meta

__all__ = ["PROVIDER", "Meta"]

PROVIDER = Meta()
