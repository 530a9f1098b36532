"""Activities: what an agent's click and a worker could both cause.

Each applies its facts in one transaction through `models.store`, in our words only.
No HTTP, no queue client, no MongoDB operators. Called by the doors workers, api and cli.
"""
