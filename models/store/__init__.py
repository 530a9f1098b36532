"""The only code that speaks MongoDB: codec, collections, indexes, paging and the atomic verbs.

A verb is one conditional update or one transaction, so that every effect happens once.
No use case, no vendor, no HTTP. Called by services and the doors; calls models and runtime.
"""
