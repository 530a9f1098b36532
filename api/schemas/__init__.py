"""What requests may say and what answers look like, for validation and for the OpenAPI document.

`wire` describes documents from the entities, `fields` and `listing` read queries; one file per section.
No rules that need a database, no HTTP. Called by the sections.
"""
