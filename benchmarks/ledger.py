"""Comparing a database with the traffic that was applied to it: everything once, nothing else, all counts right.

Speaks of documents by the seed's field names only, so that Hookline's database and an ordinary one are judged alike.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from pymongo.database import Database

from benchmarks.traffic import Expected

#: Differences named of one kind, at most.
NAMED: Final = 3


def problems(database: "Database[dict[str, Any]]", expected: Expected, *, events: int) -> list[str]:
    """Name everything that is not as the traffic says; nothing if all is well."""
    shown = {"providerMessageId": 1, "status": 1, "direction": 1, "reactions": 1}
    messages = list(database["messages"].find({}, shown))
    times = Counter(message["providerMessageId"] for message in messages)
    by_id = {message["providerMessageId"]: message for message in messages}
    chats = list(database["chats"].find({}, {"phoneNumber": 1, "unreadCount": 1}))
    unread = {chat["phoneNumber"]: chat.get("unreadCount", 0) for chat in chats}
    ended = database["webhookevents"].count_documents({"status": "processed"})
    found = [
        _differing("messages", times, dict.fromkeys(expected.messages, 1)),
        _differing("unread counts", unread, expected.unread),
        _differing("statuses", _statuses(by_id), expected.statuses),
        _differing("reactions", _emoji(by_id), expected.reactions),
        _differing("chats", {"all": len(chats)}, {"all": len(expected.unread)}),
        _differing("processed events", {"all": ended}, {"all": events}),
    ]
    return [problem for problem in found if problem]


def _statuses(messages: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {name: message["status"] for name, message in messages.items() if message["direction"] == "outbound"}


def _emoji(messages: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    with_reactions = {name: message["reactions"] for name, message in messages.items() if message.get("reactions")}
    return {name: "".join(one["emoji"] for one in reactions) for name, reactions in with_reactions.items()}


def _differing(what: str, found: Mapping[str, object], expected: Mapping[str, object]) -> str:
    wrong = [name for name in {*found, *expected} if found.get(name) != expected.get(name)]
    shown = ", ".join(f"{name}: {found.get(name)} for {expected.get(name)}" for name in sorted(wrong)[:NAMED])
    return f"{len(wrong)} {what} differ ({shown})" if wrong else ""
