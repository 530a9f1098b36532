"""The street door: verify, store, ring, answer 200.

A small WSGI app that never parses a message and never waits for the queue.
It imports no service and no schema library, so that it stays quick to start and hard to break.
"""
