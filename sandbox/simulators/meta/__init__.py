"""Meta's WhatsApp Cloud API, played: conversations of invented people, signed and delivered as webhooks.

Here live the cast, the payloads, the delivery with its retries, and a ledger of what was acknowledged.
Never here: real numbers, or a call to a real host.
Run by `python -m sandbox.simulators.meta`; tests import its parts.
"""
