"""Follow-ups: planned by people or by the clock, fired once, and called overdue when nobody came.

Rows with a due time are the only timers there are. No transport: who is told, and how, follows from the row.
No sending either: a message that goes with a reminder is handed to whoever queues messages.
"""
