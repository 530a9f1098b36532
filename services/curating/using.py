"""Using a template for a message: which one is meant, whether it may be sent now, and filling it in.

What a caller gives as `values`, in the API's spelling:

    parameters  ["Priya", "09:40"] for numbered templates, {"first_name": "Priya"} for named ones; in the place of a
                text also {"currency": {"fallbackValue": "85.00 GBP", "code": "GBP", "amount1000": 85000}} or
                {"dateTime": {"fallbackValue": "3 November 2026"}}
    header      one of {"text": "8817"}, {"image" | "video" | "document": {"id": ours, or "link"; "fileName"}},
                {"location": {"latitude", "longitude", "name", "address"}}
    buttons     {"0": value}: the payload of a quick reply, the end of a link, a coupon's code, or the vendor's `action`
                of a flow, a catalogue and the like; numbers count all buttons from 0
    expiresAt   when a limited offer ends
    cards       of a carousel, in order: each with parameters, header and buttons of its own

Deliberately queues nothing and counts nothing: a use counts when the vendor has accepted the message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from models.message import TemplateUse
from models.store.templates import Templates
from models.template import Template, TemplateStatus
from providers.outbound import Destination
from runtime.errors import Conflict, Invalid
from services.curating.filling import Filled, fill, rendered
from services.curating.schema import AUTHENTICATION, body_of, placeholders

#: The code of the conflict.
UNUSABLE: Final = "template_unusable"
#: Meta's code for an authentication template to somebody whose number is hidden.
NO_PHONE: Final = "131062"
#: Why a template of a status cannot be sent; of an approved one nothing speaks against it.
_WHY: Final[Mapping[str, str]] = {
    TemplateStatus.PENDING: "the vendor has not approved it yet",
    TemplateStatus.REJECTED: "the vendor rejected it",
    TemplateStatus.PAUSED: "the vendor paused it",
    TemplateStatus.DISABLED: "the vendor disabled it",
    TemplateStatus.LOCAL: "it is a quick reply of our own; send its text",
}


@dataclass(frozen=True, slots=True)
class Preview:
    """A template's text with values put in, and which placeholders have none."""

    text: str
    missing: list[str]


class Using:
    """Turns a template's name and values into what is sent."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def use(
        self,
        *,
        config_id: str,
        name: str,
        language: str | None,
        values: Mapping[str, Any],
        to: Destination | None = None,
    ) -> TemplateUse:
        """Fill a template in and return what is sent.

        Raises:
            Conflict: there is no such template, or it cannot be sent now, or not to this address (template_unusable).
            Invalid: the values do not fit it; `fields` by path, e.g. "template.parameters.1".
        """
        return self.filled(config_id=config_id, name=name, language=language, values=values, to=to).use

    def filled(
        self,
        *,
        config_id: str,
        name: str,
        language: str | None,
        values: Mapping[str, Any],
        to: Destination | None = None,
    ) -> Filled:
        """Fill a template in and return also what agents read of it, and the file of ours that its header shows.

        Raises:
            Conflict, Invalid: as `use`.
        """
        template = self._find(config_id, name, language)
        _check_usable(template)
        _check_address(template, to)
        return fill(template, values)

    def usable(self, config_id: str) -> list[dict[str, str]]:
        """Name the templates that may be sent now, for those whose service window is closed."""
        return [{"name": name, "language": language} for name, language in self._templates.usable(config_id)]

    def _find(self, config_id: str, name: str, language: str | None) -> Template:
        found = self._templates.named(config_id, name)
        if language is not None:
            wanted = language.replace("-", "_")
            found = [one for one in found if (one.language or "").replace("-", "_") == wanted]
        if len(found) > 1:
            words = ", ".join(sorted(one.language or "" for one in found))
            raise Invalid("which language?", fields={"template.language": [f"Say which: {words}."]})
        if not found:
            which = f"{name} ({language})" if language else name
            raise _unusable(f"There is no template {which} for this account.", "unknown")
        return found[0]


def preview(template: Template, values: Mapping[str, str]) -> Preview:
    """Show what a template's text becomes with values, by their names or numbers; for quick replies, and to look at."""
    text = template.content or body_of(template.components) or ""
    return Preview(rendered(text, values), [name for name in placeholders(text) if name not in values])


def _check_usable(template: Template) -> None:
    why = _WHY.get(template.status)
    if why:
        reason = f" ({template.rejection_reason})" if template.rejection_reason else ""
        raise _unusable(f"The template {template.name} cannot be sent: {why}{reason}.", str(template.status))
    if not template.is_active:
        raise _unusable(f"The template {template.name} cannot be sent: the team switched it off.", "inactive")
    if template.components is None:
        why = "what it asks for is not known before it is synchronised"
        raise _unusable(f"The template {template.name} cannot be sent: {why}.", "not_synchronised")


def _check_address(template: Template, to: Destination | None) -> None:
    if to is not None and not to.phone and to.user_id and (template.category or "").upper() == AUTHENTICATION:
        why = f"authentication templates go to phone numbers only ({NO_PHONE})"
        raise _unusable(f"The template {template.name} cannot be sent to this person: {why}.", "no_phone_number")


def _unusable(message: str, reason: str) -> Conflict:
    return Conflict(message, code=UNUSABLE, details={"reason": reason})
