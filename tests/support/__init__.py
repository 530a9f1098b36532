"""What tests of every room share: real engines, canned traffic, waiting for a condition.

Here live fixtures and small tools for tests.
Never here: assertions about one room, or stand-ins for our own code.
Called by tests only; `tests/conftest.py` makes the fixtures known.
"""
