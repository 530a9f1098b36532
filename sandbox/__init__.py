"""The playpen: everything on one machine with one command, from real engines and simulated vendors.

Here live the embedded mongod and Valkey, the front door, the runner behind `hookline up` and the simulators.
Never here: anything production needs; the processes run the same without this folder.
Called by `cli` (the command `up`) and by the tests.
"""
