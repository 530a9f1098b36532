"""A fourth vendor, which does not exist: the proof that adding one is adding one file.

Here lives that file, as it would lie in `providers/`. Its payloads are in `tests/fixtures/acme`.
Never here: anything that a real vendor would not also need.
Called by `tests/providers`, and an example for whoever adds a vendor.
"""
