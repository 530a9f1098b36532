"""The OpenAPI document, gathered from the sections' declarations.

Deliberately nothing about single endpoints: what a section declares is what the document says.
"""

from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from flask import Flask
from flask_smorest import Api
from marshmallow import Schema, fields

from api.errors import WORDS
from api.section import BEARER, Section

_CONFIG: Final = {
    "API_TITLE": "Hookline",
    "API_VERSION": version("hookline"),
    "OPENAPI_VERSION": "3.1.0",
    # The document is served by `api.docs.pages`, once made.
    "OPENAPI_URL_PREFIX": None,
}
_ABOUT: Final = (
    "A team inbox for WhatsApp. Lists come in pages: `limit` rows, and `nextCursor` for the next. "
    "Times are ISO 8601 in UTC. Fields without a value are left out."
)


class ErrorBody(Schema):
    """What went wrong."""

    class Meta:
        """For the document."""

        description = "What went wrong."

    code = fields.String(required=True, metadata={"description": "A stable word for programs."})
    message = fields.String(required=True, metadata={"description": "A sentence for people."})
    fields_ = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        data_key="fields",
        metadata={"description": "Path of each wrong value -> what is wrong with it."},
    )
    details = fields.Dict(
        keys=fields.String(),
        metadata={
            "description": "What a program needs to go on, by `code`: of `window_closed` the usable `templates`."
        },
    )
    request_id = fields.String(
        required=True, data_key="requestId", metadata={"description": "The answer's X-Request-Id."}
    )


class Error(Schema):
    """The body of every answer that is not a success."""

    class Meta:
        """For the document."""

        description = "The body of every answer that is not a success."

    error = fields.Nested(ErrorBody, required=True)


class DocumentedApi(Api):  # type: ignore[misc]  # flask-smorest has no types
    """Gathers the document; errors are answered by `api.errors`."""

    ERROR_SCHEMA = Error
    #: Every status an endpoint may answer is named; there is no "anything else".
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """Leave errors to `api.errors`."""

    def _register_pagination_header(self) -> None:
        """Leave pages to `api.schemas.listing`: theirs are numbered, ours are not."""


def gather(app: Flask, sections: Iterable[Section]) -> dict[str, Any]:
    """Register the sections and return the document that describes them."""
    app.config.update(_CONFIG)
    api = DocumentedApi(app, spec_kwargs={"info": {"description": _ABOUT}})
    api.spec.components.security_scheme(BEARER, {"type": "http", "scheme": "bearer"})
    for section in sections:
        api.register_blueprint(section)
    document: dict[str, Any] = api.spec.to_dict()
    for status, (_, sentence) in WORDS.items():
        response = document["components"]["responses"].get(HTTPStatus(status).name)
        if response:
            response["description"] = sentence
    return document
