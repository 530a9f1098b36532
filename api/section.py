"""A section of the API: a blueprint whose endpoints declare everything about themselves in one place.

    @section.endpoint("GET", "/chats", needs=ANY_TOKEN, query=ChatsQuery, answers=ChatPage)
    def list_chats(query: Listing) -> Page:
        '''List chats, the latest first.'''

From that follow validation, permission, the answer's JSON and the OpenAPI document. Deliberately strict:
parameters and fields that nobody declared, and values given twice, are refused by name.
"""

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, Final

import orjson
from flask import Request, Response
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, ValidationError
from webargs.core import missing
from webargs.flaskparser import FlaskParser, is_json_request
from webargs.multidictproxy import MultiDictProxy

from api.access import ANY_TOKEN, NOTHING, Need, needs
from api.answers import Result, answer
from models.store.codec import camel
from runtime.errors import Unparseable, WrongType

#: Every section lives below this path.
BASE_PATH: Final = "/api/whatsapp"
#: The name under which the document describes bearer tokens.
BEARER: Final = "bearer"

#: How the document describes an answer that is a file, of whatever type the file is.
_FILE: Final = {"type": "string", "format": "binary"}
_ANY_TYPE: Final = "*/*"

#: What may be wrong with a JSON body before anybody has looked into it: no JSON, too much of it, something else.
_BODY_PROBLEMS: Final = (400, 413, 415)

View = Callable[..., Result | Response]


class StrictParser(FlaskParser):
    """Reads arguments and lets nothing undeclared pass."""

    DEFAULT_UNKNOWN_BY_LOCATION: Final = dict.fromkeys(  # type: ignore[misc]
        FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, RAISE
    )

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """Read the query; a parameter that takes one value must not come twice."""
        proxy: MultiDictProxy = super().load_querystring(req, schema)
        repeated = {name for name, values in req.args.lists() if len(values) > 1}
        if twice := sorted(repeated - proxy.multiple_keys):
            raise ValidationError({name: ["Give this once."] for name in twice})
        return proxy

    def _raw_load_json(self, req: Request) -> Any:
        """Read the body as JSON in the strict sense: UTF-8, no NaN, bounded depth.

        Raises:
            WrongType: there is a body, and it is something else.
            Unparseable: it does not keep its promise.
        """
        body = req.get_data(cache=False)
        if not body:
            return missing
        if not is_json_request(req):
            raise WrongType
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Unparseable(f"The body is not JSON: {error.msg} at position {error.pos}.") from None


class Section(Blueprint):  # type: ignore[misc]  # flask-smorest has no types
    """One section of the seed's endpoints."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, *, about: str) -> None:
        super().__init__(name, f"api.sections.{name}", url_prefix=BASE_PATH, description=about)

    def endpoint(
        self,
        method: str,
        path: str,
        *,
        needs: Need,
        answers: type[Schema] | None,
        query: type[Schema] | None = None,
        body: type[Schema] | None = None,
        files: type[Schema] | None = None,
        headers: Mapping[str, str] | None = None,
        status: int = 200,
        problems: Collection[int] = (),
    ) -> Callable[[View], View]:
        """Declare an endpoint; the view takes what `query` and `body` load to, then the path's parts by name.

        `files` are the parts of a multipart body. `headers` are those that the view itself looks at, described. A view
        that `answers` None returns the whole answer: a file.
        `problems` are HTTP statuses it may answer besides those that follow from the declaration.
        """
        wrong = {*problems, *_problems(needs, path), *(_BODY_PROBLEMS if body else ())}

        def declare(view: View) -> View:
            view_func = _answering(view, status)
            view_func = self._described(status, answers)(view_func)
            for schema, location in ((body, "json"), (files, "files"), (query, "query")):
                if schema is not None:
                    # An instance, made once: binding a dozen fields anew takes longer than reading them.
                    view_func = self.arguments(schema(), location=location, required=False)(view_func)
            for problem in sorted(wrong):
                view_func = self.alt_response(problem, response=HTTPStatus(problem).name)(view_func)
            if headers:
                view_func = self.doc(parameters=[_header(*header) for header in headers.items()])(view_func)
            view_func = self.doc(operationId=camel(view.__name__), security=_security(needs))(view_func)
            self.add_url_rule(path, view.__name__, _marked(view_func, needs), methods=[method])
            return view

        return declare

    def _described(self, status: int, answers: type[Schema] | None) -> Any:
        if answers is not None:
            return self.response(status, answers)

        def as_file(view: Callable[..., Response]) -> Any:
            part = "The range of it that was asked for."
            view = self.alt_response(206, schema=_FILE, content_type=_ANY_TYPE, description=part, success=True)(view)
            view = self.alt_response(304, description="The caller has it already.", success=True)(view)
            return self.response(status, schema=_FILE, content_type=_ANY_TYPE, description="The file.")(view)

        return as_file


def _answering(view: View, status: int) -> Callable[..., Response]:
    @wraps(view)
    def answering(*args: Any, **kwargs: Any) -> Response:
        result = view(*args, **kwargs)
        return result if isinstance(result, Response) else answer(result, status)

    return answering


def _marked(view: Callable[..., Response], need: Need) -> Callable[..., Response]:
    return needs(need)(view)


def _header(name: str, about: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "description": about, "required": False, "schema": {"type": "string"}}


def _problems(need: Need, path: str) -> set[int]:
    """Name the statuses that follow from where an endpoint is and who may use it."""
    found = {429, 503}
    if need is not NOTHING:
        found.add(401)
    if need not in {NOTHING, ANY_TOKEN}:
        found.add(403)
    if "<" in path:
        found.add(404)
    return found


def _security(need: Need) -> list[dict[str, list[str]]]:
    return [] if need is NOTHING else [{BEARER: []}]
