"""Benchmarks: what Hookline promises about speed, measured against what one would write first, in one run.

Here live the traffic, the load, the rivals (`baselines/`) and the figures; every run checks its own result.
Never here: code that Hookline needs to run. Called by people and by CI: `python -m benchmarks.ingest`.
"""
