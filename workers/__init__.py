"""The engine room: thin Dramatiq actors, their middleware, the timetable and the clock process.

Actors turn ids into calls of a service and never decide anything themselves.
No parsing, no MongoDB; never imported by another door.
"""
