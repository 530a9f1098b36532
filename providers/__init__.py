"""Dialects: the vendors' wire formats, translated to and from our words.

Pure and total on the way in; requests described, not sent, on the way out.
No database, no queue, no Flask; one provider never imports another. Called by services and the doors.
"""
