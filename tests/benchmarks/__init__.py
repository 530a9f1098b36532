"""Tests of what the benchmarks rest on: the traffic, its signatures, the load, the ledger and the figures."""
