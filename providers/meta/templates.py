"""A word on a message template: reviewed, paused, moved to another category, edited.

    {"event": "PAUSED", "message_template_id": 1730559284410265, "message_template_name": "visit_reminder",
     "message_template_language": "en_GB", "reason": "NONE", "other_info": {"title": "FIRST_PAUSE", …}}

Meta's own examples mix up the field names, so the keys decide what is meant. Templates are known by business
account, name and language. Deliberately changes nothing: `changes` says what is new, in our Template's words.
"""

from collections.abc import Callable
from typing import Any, Final

from providers import wire
from providers.events import Event, TemplateChanged
from providers.meta.change import Change

#: Meta's event -> our status. Other events leave the status as it is and are passed on as `vendorEvent`.
STATUSES: Final = {
    "PENDING": "pending",
    "APPROVED": "approved",
    "REINSTATED": "approved",
    "REJECTED": "rejected",
    "PAUSED": "paused",
    "DISABLED": "disabled",
    "DELETED": "disabled",
    # None of these can be sent, as the list of templates will say too.
    "PENDING_DELETION": "disabled",
    "ARCHIVED": "disabled",
    "IN_APPEAL": "rejected",
    "LIMIT_EXCEEDED": "rejected",
    "UNARCHIVED": "approved",
}
#: Steps that take an earlier reason for rejection away.
_CLEAR: Final = frozenset({"approved", "pending"})
#: What Meta writes where there is no reason.
_NO_REASON: Final = frozenset({None, "NONE"})
_NAMES: Final = frozenset({"message_template_id", "message_template_name", "message_template_language"})

Value = dict[str, Any]


def read_template(change: Change, value: Value, path: str) -> list[Event]:
    """Read a template field; the whole value is one fact.

    Raises:
        UnreadableError: it does not say which template.
    """
    template_id, name = (
        wire.text(value.get("message_template_id")),
        wire.text(value.get("message_template_name")),
    )
    if template_id is None and name is None:
        raise wire.UnreadableError("template_without_name")
    changes: dict[str, Any] = {}
    taken = set(_NAMES)
    for mark, (read, keys) in _ASPECTS.items():
        if value.get(mark) is not None:
            changes |= read(value)
            taken |= keys
    if not changes:
        return [change.ignored(path, "unknown_template_event", value, key=change.fact_key(value))]
    language = wire.text(value.get("message_template_language"))
    changed = TemplateChanged(
        account=change.account,
        path=path,
        key=change.fact_key(value),
        at=change.at,
        metadata=wire.leftovers(value, frozenset(taken)),
        template_id=template_id,
        name=name,
        language=language.replace("-", "_") if language else None,
        changes=changes,
    )
    return [changed]


def _status(value: Value) -> dict[str, Any]:
    """Read a step of the review, and its reason."""
    event = (wire.text(value.get("event")) or "").upper()
    status = STATUSES.get(event)
    reason = _reason(value) or (_story(value) if status else None)
    changes: dict[str, Any] = {"status": status} if status else {}
    if event.lower() != status:
        changes["vendorEvent"] = event
    if status in _CLEAR:
        changes["rejectionReason"] = None
    elif reason is not None:
        changes["rejectionReason"] = reason
    return changes | _category(value, "message_template_category")


def _reason(value: Value) -> str | None:
    reason = wire.text(value.get("reason"))
    return None if reason in _NO_REASON else reason


def _story(value: Value) -> str | None:
    """Read what is told of a step in prose: of a pause, that alone says why and for how long."""
    told = wire.mapping(value.get("other_info"))
    return wire.text(told.get("description")) or wire.text(told.get("title"))


def _category(value: Value, key: str) -> dict[str, Any]:
    category = wire.text(value.get(key))
    return {"category": category} if category else {}


def _quality(value: Value) -> dict[str, Any]:
    return {"quality": wire.text(value.get("new_quality_score"))}


def _moved(value: Value) -> dict[str, Any]:
    """Read what the category is now (Meta says `new` in either case), and what it is about to become."""
    changes = _category(value, "new_category")
    pending = wire.text(value.get("correct_category"))
    if pending:
        changes |= {
            "pendingCategory": pending,
            "categoryChangesAt": wire.when(value.get("category_update_timestamp")),
        }
    return changes


def _components(value: Value) -> dict[str, Any]:
    """Bring the parts that the event names into the shape of components; others may have stayed."""
    texts = (
        ("HEADER", "message_template_title"),
        ("BODY", "message_template_element"),
        ("FOOTER", "message_template_footer"),
    )
    found: list[dict[str, Any]] = []
    for kind, key in texts:
        said = wire.text(value.get(key))
        if said:
            found.append({"type": kind, **({"format": "TEXT"} if kind == "HEADER" else {}), "text": said})
    buttons = [_button(item) for item in wire.listed(value.get("message_template_buttons")) if isinstance(item, dict)]
    return {"components": [*found, {"type": "BUTTONS", "buttons": buttons}] if buttons else found}


def _button(item: Value) -> dict[str, Any]:
    prefix = "message_template_button_"
    return {key.removeprefix(prefix): value for key, value in wire.storable(item).items()}


#: The key that shows what is meant -> its reader, and the keys that this takes.
_ASPECTS: Final[dict[str, tuple[Callable[[Value], dict[str, Any]], frozenset[str]]]] = {
    "event": (_status, frozenset({"event", "reason", "message_template_category"})),
    "new_quality_score": (_quality, frozenset({"new_quality_score"})),
    "new_category": (_moved, frozenset({"new_category", "correct_category", "category_update_timestamp"})),
    "message_template_element": (
        _components,
        frozenset(
            {"message_template_title", "message_template_element", "message_template_footer"}
            | {"message_template_buttons"}
        ),
    ),
}
