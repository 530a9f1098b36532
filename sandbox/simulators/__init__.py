"""Vendors played on this machine: a second opinion on every signature, shape and retry.

Here live programs that deliver webhooks as a vendor would and answer as its API does; what they share (stories,
delivery, ledger) lies in this folder, what one vendor does differently in a folder of its own.
Never here: our dialects, services or documents; what they know of a vendor comes from its documentation.
Started by `hookline up --demo` and by tests, each as `python -m sandbox.simulators.<vendor>`.
"""
