"""The API's documentation: the OpenAPI document, and Swagger UI to read and try it.

Every asset is served from here and the page's policy forbids all others, so it works without a network.
No endpoint is described here: the sections describe themselves. Registered by `api.app`.
"""
