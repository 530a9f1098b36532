"""The desk's app: settings in, a WSGI callable out.

Composition only: the order of the hooks is decided here and nowhere else.
"""

from typing import Final

from flask import Flask

from api import access, desk, envelope, errors, health, limits
from api.access import Gate
from api.desk import Desk
from api.docs import document, pages
from api.sections import SECTIONS
from runtime.logs import configure_logs
from runtime.settings import Settings, load_settings
from runtime.unread import ClosesUnread
from services.wiring import Services

#: Largest body of a request; media are uploaded elsewhere.
MAX_BODY_BYTES: Final = 1024 * 1024


def create_app(settings: Settings | None = None) -> Flask:
    """Build the app of one API process."""
    settings = settings or load_settings()
    configure_logs(level=settings.log_level, style=settings.log_format)
    return build(Desk(Services(settings, application="api")))


def build(built: Desk) -> Flask:
    """Build an app around a desk.

    Raises:
        RuntimeError: a route does not say what it needs.
    """
    app = Flask("hookline.api", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY_BYTES, PROVIDE_AUTOMATIC_OPTIONS=False)
    # An address is spelled one way; anything else is 404, never a redirect.
    app.url_map.merge_slashes = False
    desk.install(app, built)
    errors.install(app)
    _install_hooks(app, built)
    health.install(app, built.services)
    pages.install(app, document.gather(app, SECTIONS))
    access.check_all_routes(app)
    app.wsgi_app = ClosesUnread(app.wsgi_app)  # type: ignore[method-assign]
    return app


def _install_hooks(app: Flask, built: Desk) -> None:
    """Have each request numbered, its caller found, counted, and only then let in."""
    gate = Gate(lambda: built.tokens)
    envelope.install(app)
    app.before_request(gate.identify)
    limits.install(app, built.services.settings)
    app.before_request(gate.admit)
