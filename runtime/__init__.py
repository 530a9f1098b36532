"""Plumbing: what an unrelated project would want unchanged.

Errors, settings, crypto, clock, logs, metrics, connections, jobs and the broker live here.
No word of WhatsApp, no document, no route. Every other room may call; this one calls nobody.
"""
