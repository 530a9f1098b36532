"""The hatch: `hookline …`, for operators and for starting each process.

Commands parse words, call a service or a factory, and print; with `--json` for other programs.
No rules, no MongoDB. Secrets come from the environment or options, never back out.
"""
