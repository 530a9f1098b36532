"""Sending: messages are queued with their chat, leave once and in order, and end in a fate that is known.

Here live the checks before queueing, the claim and the call, retries, throttles and pauses of accounts.
No wire format (the dialects have it), no HTTP client, no threads. Called by the API, the command line and workers.
"""
