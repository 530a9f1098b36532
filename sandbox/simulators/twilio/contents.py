"""The workshop's content templates at Twilio: a stock to page through, and against which sends are checked.

Deliberately read-only: new ones are made in Twilio's console.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

#: A variable in a content's words.
VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
#: Contents of one page unless asked otherwise.
PAGE = 50


def _content(account_sid: str, name: str, variables: Mapping[str, str], **types: Json) -> Json:
    words = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return {
        "sid": f"HX{words}",
        "account_sid": account_sid,
        "friendly_name": name,
        "language": "en",
        "variables": dict(variables),
        "types": {kind.replace("_", "/", 1).replace("_", "-"): content for kind, content in types.items()},
        "date_created": "2026-10-02T08:11:42Z",
        "date_updated": "2026-10-02T09:30:10Z",
    }


def _approved(name: str, kind: str, status: str = "approved") -> Json:
    return {
        "name": name,
        "category": "UTILITY",
        "content_type": kind,
        "status": status,
        "rejection_reason": "",
        "allow_category_change": True,
    }


def stock(account_sid: str) -> list[Json]:
    """Return the contents of an account, each with its approval."""
    ready = "Hi {{1}}, your bike is ready until {{2}}."
    tomorrow = {"body": "Hi {{1}}, see you tomorrow?", "actions": [{"title": "Yes", "id": "yes"}]}
    return [
        {
            **_content(account_sid, "bike_ready", {"1": "Ana", "2": "18:00"}, twilio_text={"body": ready}),
            "approval_requests": _approved("bike_ready", "twilio/text"),
        },
        {
            **_content(account_sid, "appointment", {"1": "Ana"}, twilio_quick_reply=tomorrow),
            "approval_requests": _approved("appointment", "twilio/quick-reply"),
        },
        {
            **_content(account_sid, "winter_check", {}, twilio_text={"body": "Time for the winter check!"}),
            "approval_requests": _approved("winter_check", "twilio/text", "pending"),
        },
    ]


class Contents:
    """All contents of an account."""

    def __init__(self, account_sid: str, origin: str) -> None:
        self._contents = stock(account_sid)
        self._origin = origin

    def page(self, path: str, query: Mapping[str, str]) -> Json:
        """Return one page, with approvals where the path asks for them."""
        size, number = int(query.get("PageSize") or PAGE), int(query.get("Page") or 0)
        rows = self._contents[number * size : (number + 1) * size]
        more = (number + 1) * size < len(self._contents)
        with_approval = path.endswith("ContentAndApprovals")
        shown = [row if with_approval else _without_approval(row) for row in rows]
        return {"contents": shown, "meta": self._meta(path, size=size, number=number, more=more)}

    def find(self, sid: str) -> Json | None:
        """Return a content by its id, with its approval."""
        return next((one for one in self._contents if one["sid"] == sid), None)

    def _meta(self, path: str, *, size: int, number: int, more: bool) -> Json:
        def url(page: int) -> str:
            return f"{self._origin}{path}?PageSize={size}&Page={page}"

        return {
            "page": number,
            "page_size": size,
            "first_page_url": url(0),
            "previous_page_url": url(number - 1) if number else None,
            "url": url(number),
            "next_page_url": url(number + 1) if more else None,
            "key": "contents",
        }


def fits(content: Json, variables: str) -> bool:
    """Say whether variables, as JSON, are those of a content; those left out take the sample's value."""
    try:
        given = json.loads(variables or "{}")
    except ValueError:
        return False
    known = set(VARIABLE.findall(json.dumps(content["types"])))
    return isinstance(given, dict) and given.keys() <= known and all(_is_plain(one) for one in given.values())


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and not re.search(r"[\n\t]| {5}", value)


def _without_approval(row: Json) -> Json:
    return {name: value for name, value in row.items() if name != "approval_requests"}
