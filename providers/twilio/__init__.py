"""The Twilio dialect: Programmable Messaging webhooks for WhatsApp, from signed forms to our words.

Here live the account form, the signature, the routing and one reader per kind of content.
Never here: a database, a clock, HTTP, another vendor. Reached through `providers.registry` alone.
"""

from providers.twilio.dialect import Twilio

__all__ = ["PROVIDER", "Twilio"]

PROVIDER = Twilio()
