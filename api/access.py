"""Who comes in: the bearer token, and what each route needs of its bearer.

A route says what it needs when it is declared; one that forgot keeps the app from starting, so nothing is
open by oversight. Deliberately no tokens (`services.tokens` knows them) and no rows (the store narrows chats
to those a caller sees).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from flask import Flask, current_app, g, request

from models.caller import Caller
from runtime.errors import Forbidden, Unauthenticated
from runtime.logs import bind_contextvars, logger
from runtime.metrics import LOGIN_FAILURES
from services.tokens import Tokens

_log = logger(__name__)
#: Where a view carries its need.
_MARK: Final = "__hookline_needs__"
V = TypeVar("V", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Need:
    """What a caller must be or have; `wording` completes "This needs …"."""

    wording: str
    is_met: Callable[[Caller], bool]


#: Open to everybody: health, metrics and documentation.
NOTHING: Final = Need("nothing", lambda _: True)
ANY_TOKEN: Final = Need("a token", lambda _: True)
OVERSEER: Final = Need("the role supervisor or admin", lambda caller: caller.is_overseer)
ADMIN: Final = Need("the role admin", lambda caller: caller.is_admin)


def permission(flag: str) -> Need:
    """Need one of the flags of `models.agent.Permissions`, by its Python name."""
    return Need(f"the permission {flag}", lambda caller: bool(getattr(caller.permissions, flag)))


def needs(need: Need) -> Callable[[V], V]:
    """Mark a view with what it needs."""

    def mark(view: V) -> V:
        setattr(view, _MARK, need)
        return view

    return mark


def need_of(app: Flask, endpoint: str) -> Need | None:
    """Say what a route needs, None where it was never said."""
    return getattr(app.view_functions.get(endpoint), _MARK, None)


def caller() -> Caller:
    """Return who makes this request."""
    found: Caller = g.caller
    return found


class Gate:
    """Lets requests in. `identify` comes before the rate limit, which goes by token; `admit` after it."""

    def __init__(self, tokens: Callable[[], Tokens]) -> None:
        self._tokens = tokens

    def identify(self) -> None:
        """Find out who asks, and keep a refusal until the request has been counted."""
        g.caller = g.refusal = None
        if current_need() in {None, NOTHING}:
            return
        try:
            g.caller = self._tokens().authenticate(_presented())
            bind_contextvars(caller=g.caller.token_id)
        except Unauthenticated as error:
            g.refusal = error

    def admit(self) -> None:
        """Let the request in.

        Raises:
            Unauthenticated: its token is missing or no good.
            Forbidden: it is good, but not for this.
        """
        if g.refusal is not None:
            LOGIN_FAILURES.labels(str(g.refusal)).inc()
            _log.info("login_refused", reason=str(g.refusal))
            raise g.refusal
        need = current_need()
        if g.caller is not None and need is not None and not need.is_met(g.caller):
            raise Forbidden(f"This needs {need.wording}.")


def current_need() -> Need | None:
    """Say what the requested route needs, None where there is no such route."""
    return need_of(current_app, request.endpoint) if request.endpoint else None


def bearer_key() -> str:
    """Name whose requests are counted together: a token's, or those of strangers from one address."""
    who: Caller | None = g.get("caller")
    return who.token_id if who else f"stranger {request.remote_addr}"


def check_all_routes(app: Flask) -> None:
    """Make sure that every route said what it needs.

    Raises:
        RuntimeError: one did not.
    """
    silent = sorted(rule.rule for rule in app.url_map.iter_rules() if need_of(app, rule.endpoint) is None)
    if silent:
        raise RuntimeError(f"routes that do not say what they need: {', '.join(silent)}")


def _presented() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("missing")
    return token.strip()
