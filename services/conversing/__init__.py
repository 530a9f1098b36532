"""What webhooks do to conversations: messages, statuses, reactions, edits, revokes.

A batch of events is folded in memory over the state it touches, then written in one transaction.
No parsing, no MongoDB; each kind of event has its handler, and one table tells which.
"""
