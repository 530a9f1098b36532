"""1msg's templates, which are Meta's; chat-api.com has none.

    GET /463107/templates?token=…
    {"total": 1, "templates": [{"name": "…", "category": "UTILITY", "language": "en", "namespace": "0b1c…",
                                "status": "approved", "rejected_reason": "NONE", "components": […]}]}

They have no ids, but a send must name their namespace: what we keep as the vendor's id is namespace, name and
language. Pages are asked for by how many came before. Deliberately no removing here: 1msg's `removeTemplate` takes a
name, and with it the template in all languages.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from models.template import Template
from providers import wire
from providers.answers import json_object, of_status
from providers.base import JSON, Account
from providers.chatapi.outbound.bodies import TEMPLATE_SEPARATOR
from providers.chatapi.outbound.methods import ONE_MSG, address, call, token_of, variant_of
from providers.chatapi.outbound.verdicts import refusal
from providers.outbound import ErrorKind, SendError, TemplateBook, TemplatePage
from runtime.calls import HttpAnswer, HttpRequest

#: The vendor's word -> ours, for those that differ or are Meta's.
STATUSES: Final = {
    "submitted": "pending",
    "in_appeal": "pending",
    "pending_deletion": "disabled",
    "deleted": "disabled",
    "limit_exceeded": "disabled",
}
_OURS: Final = frozenset({"pending", "approved", "rejected", "paused", "disabled"})
#: What stands where there is no reason.
_NO_REASON: Final = frozenset({None, "NONE"})


class OneMsgTemplates(TemplateBook):
    """A channel's templates."""

    def for_account(self, account: Account) -> TemplateBook | None:
        """Leave instances of chat-api.com out."""
        return self if variant_of(account) == ONE_MSG else None

    def page(self, account: Account, *, base_url: str, cursor: str | None) -> HttpRequest:
        """Ask for all templates, or for those that the vendor held back."""
        url = address(account, "templates", base_url=base_url) + (f"?offset={cursor}" if cursor else "")
        return HttpRequest(method="GET", url=url, headers={"Accept": JSON}, secret_query=token_of(account))

    def read(self, answer: HttpAnswer) -> TemplatePage | SendError:
        """Read them; what has no name is left out."""
        refused = refusal(answer)
        if refused is not None:
            return refused
        found = (json_object(answer) or {}).get("templates")
        if not isinstance(found, list):
            error = of_status(answer, ErrorKind.RETRYABLE, "The vendor's list of templates could not be understood")
            return SendError(kind=ErrorKind.RETRYABLE, error=error)
        named = [one for one in map(wire.mapping, found) if wire.text(one.get("name"))]
        return TemplatePage(templates=[_template(one) for one in named])

    def read_at(self, answer: HttpAnswer, *, cursor: str | None) -> TemplatePage | SendError:
        """Read a page; as long as fewer came than there are in all, another follows."""
        page = self.read(answer)
        if isinstance(page, SendError):
            return page
        found = json_object(answer) or {}
        held, total = wire.listed(found.get("templates")), wire.number(found.get("total")) or 0
        so_far = int(cursor or 0) + len(held)
        return replace(page, next=str(so_far)) if held and so_far < total else page

    def create(self, account: Account, *, base_url: str, template: Template) -> HttpRequest | None:
        """Ask for a new template; its components are Meta's."""
        body = {
            "name": template.whatsapp_template_name or template.name,
            "category": (template.category or "").upper(),
            "language": template.language,
            "components": template.components or [{"type": "BODY", "text": template.content or ""}],
        }
        return call(account, "addTemplate", body, base_url=base_url)

    def created(self, answer: HttpAnswer) -> Mapping[str, object] | SendError:
        """Read where its review stands; what a good answer holds is documented nowhere, the next list tells."""
        refused = refusal(answer)
        found = json_object(answer)
        if refused is not None or found is None:
            error = of_status(answer, ErrorKind.UNKNOWN, "The vendor's answer does not say what became of the template")
            return refused or SendError(kind=ErrorKind.UNKNOWN, error=error)
        return {"status": _status(wire.text(found.get("status")))}


def _template(found: dict[str, Any]) -> dict[str, object]:
    name, language = wire.text(found["name"]), wire.text(found.get("language"))
    reason = wire.text(found.get("rejected_reason"))
    components = [wire.storable(one) for one in wire.listed(found.get("components")) if isinstance(one, dict)]
    return {
        "whatsapp_template_id": TEMPLATE_SEPARATOR.join(
            [wire.text(found.get("namespace")) or "", name or "", language or ""]
        ),
        "name": name,
        "language": language,
        "status": _status(wire.text(found.get("status"))),
        "category": wire.text(found.get("category")),
        "rejection_reason": None if reason in _NO_REASON else reason,
        "components": components,
    }


def _status(word: str | None) -> str:
    lower = (word or "").lower()
    return lower if lower in _OURS else STATUSES.get(lower, "pending")
