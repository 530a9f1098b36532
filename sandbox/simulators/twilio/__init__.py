"""Twilio's Programmable Messaging for WhatsApp, played: forms signed with the auth token, and status callbacks.

Here live the cast, the parameters, the signature and the retries of this vendor.
Never here: real numbers, or a call to a real host.
Run by `python -m sandbox.simulators.twilio`; tests import its parts.
"""
