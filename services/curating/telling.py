"""What a vendor says of a template: of two words on one thing the later counts, in whatever order they come.

Webhooks and synchronisation both go through here. A word on the parts of a template (a webhook names only some) counts
part by part, so that the rest stays. Deliberately no I/O: the caller's transaction reads and writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from models.store.batch import Tracked
from models.template import Template, TemplateStatus
from services.curating.schema import Component, body_of, describe, key_of

#: How old a list may be: vendors' lists lag behind their webhooks, and their clocks differ from ours. An answer
#: vouches for what was so this long before it was asked for.
LAG: Final = timedelta(minutes=1)
#: Why a template is disabled that the vendor no longer lists.
VANISHED: Final = "vanished"
#: The order in which the parts of a template are kept; others come after.
_ORDER: Final = ("HEADER", "BODY", "FOOTER", "BUTTONS")
#: Fields from which others follow.
_DEFINING: Final = frozenset({"components", "category", "parameter_format", "content", "variables"})
Told = Mapping[str, Any]


def tell(known: Tracked[Template], told: Told, *, at: datetime, parts: Iterable[Component] = ()) -> dict[str, Any]:
    """Take a word of the vendor's, by our field names; return what of it was newer than what we knew.

    `told["components"]` is the whole definition, `parts` are those that a webhook named.
    """
    told_at = known.entity.told_at or {}
    typed = {name: _typed(name, value) for name, value in told.items() if _has_meaning(name, value)}
    newer = {name: value for name, value in typed.items() if _is_newer(at, told_at.get(name))}
    stamps = dict.fromkeys(newer, at)
    if "components" in newer:
        newer["components"] = _ordered([*_kept(known.entity, at), *newer["components"]])
    fresh = [part for part in parts if _is_newer(at, told_at.get(_key(part)), told_at.get("components"))]
    if fresh:
        newer["components"] = _ordered([*fresh, *(newer.get("components") or known.entity.components or ())])
        stamps |= {_key(part): at for part in fresh}
    if newer:
        known.set(**newer, told_at=told_at | stamps)
        _derive(known, newer)
    return newer


def is_vanished(template: Template) -> bool:
    """Whether a template is one that the vendor no longer lists."""
    return template.status == TemplateStatus.DISABLED and template.rejection_reason == VANISHED


def _derive(known: Tracked[Template], newer: Told) -> None:
    """Bring what follows from the definition in step with it."""
    template = known.entity
    if not _DEFINING & newer.keys():
        return
    told = template.told_at or {}
    said = template.parameter_format if "parameter_format" in told else None
    schema = describe(template.components, category=template.category, parameter_format=said)
    derived: dict[str, Any] = {"parameters": schema.parameters, "parameter_format": schema.parameter_format}
    if "content" not in told:
        derived["content"] = body_of(template.components)
    if "variables" not in told:
        derived["variables"] = [key_of(one) for one in schema.parameters if one["component"] == "body"]
    known.set(**derived)


def _kept(template: Template, at: datetime) -> list[Component]:
    """Pick the parts that were told later than the whole definition at hand."""
    told_at = template.told_at or {}
    return [part for part in template.components or () if (own := told_at.get(_key(part))) is not None and own >= at]


def _ordered(parts: Sequence[Component]) -> list[dict[str, Any]]:
    """Keep the first of each part, in the usual order; a template has each of these but once."""
    first: dict[str, Component] = {}
    others = []
    for part in parts:
        if str(part.get("type")).upper() in _ORDER:
            first.setdefault(_key(part), part)
        else:
            others.append(part)
    known = [first[key] for name in _ORDER if (key := f"components:{name}") in first]
    return [dict(part) for part in (*known, *others)]


def _key(part: Component) -> str:
    return f"components:{str(part.get('type')).upper()}"


def _is_newer(at: datetime, *known: datetime | None) -> bool:
    return all(moment is None or at > moment for moment in known)


def _has_meaning(name: str, value: object) -> bool:
    """Whether a word can be kept: a status that we have no word for leaves the present one."""
    if name == "status":
        return value in set(TemplateStatus)
    return isinstance(value, list) if name == "components" else True


def _typed(name: str, value: Any) -> Any:
    if name == "components":
        return [part for part in value if isinstance(part, Mapping)]
    if name == "category":
        # Vendors differ in the case; a filter must not.
        return str(value).upper() if value else None
    return TemplateStatus(value) if name == "status" else value
