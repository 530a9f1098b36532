"""The workshop's templates at Meta: a small stock to page through, to add to, and against which sends are checked.

Deliberately in memory: a simulator that starts again has its first stock.
"""

import base64
import itertools
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.simulators.meta.checks import Wrong

Json = dict[str, Any]

_IDS = itertools.count(1730559284410001)
#: A variable in a template's words.
VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
#: Header formats that need a file with each send.
FILES = frozenset({"IMAGE", "VIDEO", "DOCUMENT"})
#: Templates of one page unless asked otherwise, and at most.
PAGE, LONGEST_PAGE = 25, 100


def _template(name: str, category: str, *components: Json, language: str = "en_GB", **more: Any) -> Json:
    return {
        "name": name,
        "parameter_format": "POSITIONAL",
        "components": list(components),
        "language": language,
        "status": "APPROVED",
        "category": category,
        **more,
        "id": str(next(_IDS)),
    }


def _body(text: str, *examples: str) -> Json:
    return {"type": "BODY", "text": text, **({"example": {"body_text": [list(examples)]}} if examples else {})}


def _buttons(*buttons: Json) -> Json:
    return {"type": "BUTTONS", "buttons": list(buttons)}


def stock() -> list[Json]:
    """Return fresh copies of the first templates."""
    named = [{"param_name": "first_name", "example": "Priya"}, {"param_name": "day", "example": "Friday"}]
    link = {
        "type": "URL",
        "text": "View",
        "url": "https://shop.example/q/{{1}}",
        "example": ["https://shop.example/q/8817"],
    }
    return [
        _template("still_open", "UTILITY", _body("Hello! Is your question about the repair still open?")),
        _template(
            "bike_ready",
            "UTILITY",
            {"type": "HEADER", "format": "TEXT", "text": "Ready"},
            _body("Hello {{1}}, your bike is ready. We are open until {{2}}.", "Priya", "18:00"),
            {"type": "FOOTER", "text": "14 Harbour Row"},
            _buttons({"type": "QUICK_REPLY", "text": "I am coming"}),
        ),
        _template("bike_ready", "UTILITY", _body("Bonjour {{1}}, votre vélo est prêt.", "Amélie"), language="fr"),
        _template(
            "repair_day",
            "UTILITY",
            {
                "type": "BODY",
                "text": "Hello {{first_name}}, see you on {{day}}.",
                "example": {"body_text_named_params": named},
            },
            parameter_format="NAMED",
        ),
        _template(
            "quote_ready",
            "MARKETING",
            {"type": "HEADER", "format": "DOCUMENT", "example": {"header_handle": ["https://files.example/q"]}},
            _body("Hello {{1}}, your quote is attached.", "Priya"),
            _buttons({"type": "QUICK_REPLY", "text": "Accept"}, link),
        ),
        _template("winter_offer", "MARKETING", _body("Winter check for {{1}} only.", "30"), status="PAUSED"),
    ]


class Templates:
    """All templates of a business account; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._templates = stock()

    def page(self, query: Mapping[str, str], url: str) -> Json:
        """Return one page; `next` is there while more follow, and a cursor always."""
        with self._lock:
            found = [one for one in self._templates if _meets(one, query)]
        start = _position(query.get("after", ""))
        size = min(int(query.get("limit") or PAGE), LONGEST_PAGE)
        rows, end = found[start : start + size], start + size
        paging: Json = {"cursors": {"before": _cursor(start), "after": _cursor(end)}}
        if end < len(found):
            paging["next"] = f"{url}?limit={size}&after={_cursor(end)}"
        return {"data": rows, "paging": paging}

    def create(self, wish: Json) -> Json:
        """Add a template that waits for approval."""
        for field in ("name", "language", "category", "components"):
            if not wish.get(field):
                raise Wrong("100", f"The parameter {field} is required.")
        known = {"parameter_format": wish.get("parameter_format", "POSITIONAL"), "status": "PENDING"}
        made = _template(wish["name"], wish["category"], *wish["components"], language=wish["language"], **known)
        with self._lock:
            if any((one["name"], one["language"]) == (made["name"], made["language"]) for one in self._templates):
                raise Wrong("100", "Content in this language already exists.")
            self._templates.append(made)
        return made

    def judge(self, template: Json, event: str) -> None:
        """Change a template's status."""
        with self._lock:
            template["status"] = event

    def delete(self, name: str, template_id: str | None) -> None:
        """Remove all languages of a name, or the one with this id."""
        with self._lock:
            gone = [one for one in self._templates if one["name"] == name and template_id in {None, one["id"]}]
            if not gone:
                raise Wrong("100", f"Message template {name} is not found.")
            self._templates = [one for one in self._templates if one not in gone]

    def check(self, use: Json) -> None:
        """Check a send against the template it names.

        Raises:
            Wrong: it is unknown, or used in another way than it was approved.
        """
        language = str((use.get("language") or {}).get("code", ""))
        with self._lock:
            named = (one for one in self._templates if (one["name"], one["language"]) == (use.get("name"), language))
            template = next(named, None)
        if template is None or template["status"] in {"PENDING", "REJECTED"}:
            raise Wrong("132001", f"template name ({use.get('name')}) does not exist in {language}")
        if template["status"] == "PAUSED":
            raise Wrong("132015")
        _check_parameters(template, use.get("components") or [])


def _check_parameters(template: Json, given: Sequence[Json]) -> None:
    named = template["parameter_format"] == "NAMED"
    for component in template["components"]:
        kind = component["type"].lower()
        if kind in {"header", "body"}:
            own = (one for one in given if str(one.get("type")).lower() == kind)
            told: Sequence[Json] = next(own, {}).get("parameters", [])
            if component.get("format") in FILES:
                _check_file(component["format"].lower(), told)
            else:
                _check_words(kind, VARIABLE.findall(component.get("text", "")), told, named=named)
        elif kind == "buttons":
            _check_buttons(component["buttons"], given)


def _check_file(kind: str, told: Sequence[Json]) -> None:
    if len(told) != 1 or told[0].get("type") != kind or not told[0].get(kind):
        raise Wrong("132012", f"header: Format mismatch, expected {kind.upper()}, received {_kinds(told)}")


def _check_words(place: str, variables: Sequence[str], told: Sequence[Json], *, named: bool) -> None:
    wanted = set(variables)
    if len(told) != len(wanted):
        count = f"number of localizable_params ({len(told)}) does not match the expected number of params"
        raise Wrong("132000", f"{place}: {count} ({len(wanted)})")
    if named and {one.get("parameter_name") for one in told} != wanted:
        raise Wrong("100", f"{place}: Parameter name is missing or empty")
    if any(one.get("type") == "text" and not str(one.get("text") or "").strip() for one in told):
        raise Wrong("131008", f"Parameter of type text is missing text value in {place}")


def _check_buttons(buttons: Sequence[Json], given: Sequence[Json]) -> None:
    told = {str(one.get("index")) for one in given if one.get("type") == "button" and one.get("parameters")}
    for index, button in enumerate(buttons):
        if VARIABLE.search(button.get("url", "")) and str(index) not in told:
            raise Wrong("131008", f"buttons: Button at index {index} of type Url requires a parameter")


def _kinds(told: Sequence[Json]) -> str:
    return ", ".join(str(one.get("type")).upper() for one in told) or "UNKNOWN"


def _meets(template: Json, query: Mapping[str, str]) -> bool:
    return all(template[name] == query[name] for name in ("name", "status", "language", "category") if name in query)


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"at:{position}".encode()).decode().rstrip("=")


def _position(cursor: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().removeprefix("at:"))
    except ValueError:
        return 0
