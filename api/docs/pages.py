"""The document and the page that shows it: Swagger UI from a package, its assets served by us.

Deliberately no inline script, no content from elsewhere and no configuration by URL.
"""

import mimetypes
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from flask import Flask, Response

from api.access import NOTHING, needs
from api.answers import JSON, to_json
from runtime.errors import NotFound

#: Scripts, styles and connections are held to this origin; Swagger UI carries its small pictures in its style sheet.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: Assets change with a release only; a browser may keep them for a day.
_KEPT: Final = "public, max-age=86400"
_OURS: Final = ("index.html", "start.js")
_VENDORED: Final = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")


def install(app: Flask, document: Mapping[str, Any]) -> None:
    """Add the routes for the document and the page."""
    written = to_json(document)
    assets = _assets()
    page = assets.pop("index.html")

    @app.get("/openapi.json")
    @needs(NOTHING)
    def openapi() -> Response:
        return Response(written, content_type=JSON)

    @app.get("/docs")
    @needs(NOTHING)
    def docs() -> Response:
        headers = {"Content-Security-Policy": POLICY}
        return Response(page, content_type="text/html; charset=utf-8", headers=headers)

    @app.get("/docs/<name>")
    @needs(NOTHING)
    def docs_asset(name: str) -> Response:
        if name not in assets:
            raise NotFound("There is no such asset.")
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Response(assets[name], mimetype=kind, headers={"Cache-Control": _KEPT})


def _assets() -> dict[str, bytes]:
    places = ((files("api.docs"), _OURS), (files("flask_swagger_ui") / "dist", _VENDORED))
    return {name: (place / name).read_bytes() for place, names in places for name in names}
