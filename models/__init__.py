"""Nouns: one file per entity, plain typed dataclasses and the rules that hold without a network.

Entities import only the standard library; `models.store` alone speaks MongoDB.
No transport, no vendor's wire format, no use case. Called by providers and everything above.
"""
