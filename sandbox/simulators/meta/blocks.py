"""Meta's block list: who wrote within a day may be blocked, and then neither side reaches the other.

Deliberately one list for the one number that is played.
"""

import threading
from collections.abc import Callable
from typing import Any

from sandbox.simulators.meta import errors
from sandbox.simulators.meta.checks import digits

Json = dict[str, Any]


class Blocks:
    """The list; safe to use from several threads."""

    def __init__(self, may_be_blocked: Callable[[str], bool]) -> None:
        self._may_be_blocked = may_be_blocked
        self._lock = threading.Lock()
        self._blocked: set[str] = set()

    def holds(self, address: str) -> bool:
        """Say whether somebody is blocked."""
        with self._lock:
            return address in self._blocked

    def add(self, wish: Json) -> tuple[int, Json]:
        """Block; return HTTP status and body, which tell of each what became of it."""
        added, failed = [], []
        for one in wish.get("block_users") or []:
            row = _row(one)
            if self._may_be_blocked(_address(one)):
                added.append(row)
                with self._lock:
                    self._blocked.add(_address(one))
            else:
                failed.append({**row, "errors": [errors.in_status("131047")]})
        if not failed:
            return 200, _answer(added_users=added)
        lists = {"added_users": added, "failed_users": failed} if added else {"failed_users": failed}
        return errors.status_of("139100"), {**_answer(**lists), **errors.body("139100")}

    def remove(self, wish: Json) -> tuple[int, Json]:
        """Unblock."""
        rows = []
        for one in wish.get("block_users") or []:
            rows.append(_row(one))
            with self._lock:
                self._blocked.discard(_address(one))
        return 200, _answer(removed_users=rows)

    def page(self) -> Json:
        """Return the list, on one page."""
        with self._lock:
            return {"data": [{"messaging_product": "whatsapp", "wa_id": one} for one in sorted(self._blocked)]}


def _address(one: Json) -> str:
    return str(one["user_id"]) if "user_id" in one else digits(one.get("user", ""))


def _row(one: Json) -> Json:
    if "user_id" in one:
        return {"input": one["user_id"], "user_id": one["user_id"]}
    return {"input": one.get("user"), "wa_id": _address(one)}


def _answer(**lists: list[Json]) -> Json:
    return {"messaging_product": "whatsapp", "block_users": lists}
