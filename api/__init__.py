"""The desk: the REST API for the people who answer, described by OpenAPI.

Blueprints validate, ask a service or the store, and present; they hold no rules of their own.
No vendor's wire format, no queue client; never imported by another door.
"""
