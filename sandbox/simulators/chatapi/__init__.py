"""ChatAPI (chat-api.com's Web variant), played: messages, acks and chat updates behind a secret in the address.

Here live the cast, the payloads and the retries of this vendor.
Never here: real numbers, or a call to a real host.
Run by `python -m sandbox.simulators.chatapi`; tests import its parts.
"""
