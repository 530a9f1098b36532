"""Templates at Meta: listing, creating and deleting those of a business account.

    GET /{business account}/message_templates?fields=…&limit=…&after=…  ->  {"data": [{"id": "…", "name": "…",
        "language": "en_GB", "status": "APPROVED", "category": "UTILITY", "components": […], …}],
        "paging": {"cursors": {"after": "…"}, "next"?: "https://…"}}

Vendor document: "Business Management API: Message templates". `next` alone says that there is more: the last page has
cursors too. Deliberately parses no placeholders and changes nothing of ours.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from models.template import ParameterFormat, Template, TemplateStatus
from providers import wire
from providers.answers import json_object
from providers.base import Account
from providers.meta.outbound import graph, judging
from providers.meta.templates import STATUSES
from providers.outbound import SendError, TemplateBook, TemplatePage
from runtime.calls import HttpAnswer, HttpRequest

#: Templates of one page.
PAGE: Final = 100
FIELDS: Final = (
    "id", "name", "language", "status", "category", "sub_category", "parameter_format", "components",
    "rejected_reason", "quality_score",
)  # fmt: skip
#: What Meta lists beyond the steps of a review -> our status. Flagged and locked ones can still be sent.
LISTED: Final[Mapping[str, str]] = STATUSES | {"FLAGGED": "approved", "LOCKED": "approved"}
#: What Meta writes where there is no reason.
_NO_REASON: Final = frozenset({None, "NONE"})


class MetaTemplateBook(TemplateBook):
    """The templates of one business account, which all its numbers share."""

    def page(self, account: Account, *, base_url: str, cursor: str | None) -> HttpRequest:
        """Ask for a page.

        Raises:
            Invalid: the account does not say to which business account it belongs.
        """
        query = {"fields": ",".join(FIELDS), "limit": str(PAGE)} | ({"after": cursor} if cursor else {})
        return _ask(account, "GET", base_url, query=query)

    def read(self, answer: HttpAnswer) -> TemplatePage | SendError:
        """Read a page; one that cannot be read whole is an error, for what it lacks would count as vanished."""
        data = json_object(answer)
        error = judging.refusal(answer, data=data)
        rows = (data or {}).get("data")
        if error or not isinstance(rows, list):
            return error or judging.repeatable(judging.unclear(answer))
        templates = [_template(row) for row in rows if isinstance(row, dict)]
        return TemplatePage(templates=[one for one in templates if one["name"]], next=_next((data or {}).get("paging")))

    def create(self, account: Account, *, base_url: str, template: Template) -> HttpRequest | None:
        """Ask for a new template; Meta reviews it."""
        return _ask(account, "POST", base_url, body=_definition(template))

    def created(self, answer: HttpAnswer) -> Mapping[str, object] | SendError:
        """Read its id and where its review stands."""
        data = json_object(answer)
        error = judging.failure(answer, data)
        found = wire.text((data or {}).get("id"))
        if error or data is None or found is None:
            return error or judging.unclear(answer)
        told = {"whatsapp_template_id": found, "status": _status(data.get("status") or "PENDING")}
        category = wire.text(data.get("category"))
        return told | ({"category": category} if category else {})

    def delete(self, account: Account, *, base_url: str, template: Template) -> HttpRequest | None:
        """Ask for one language to be removed; None without its id, for the name alone stands for all languages."""
        if not template.whatsapp_template_id:
            return None
        query = {"name": _name(template), "hsm_id": template.whatsapp_template_id}
        return _ask(account, "DELETE", base_url, query=query)

    def deleted(self, answer: HttpAnswer) -> SendError | None:
        """Read whether it was."""
        return judging.refusal(answer)


def _ask(
    account: Account,
    method: str,
    base_url: str,
    *,
    query: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
) -> HttpRequest:
    owner = graph.owned(account, "businessAccountId")
    return graph.ask(account, method, base_url, owner, "message_templates", query=query, body=body)


def _name(template: Template) -> str:
    return template.whatsapp_template_name or template.name


def _definition(template: Template) -> dict[str, Any]:
    """Write a template as Meta reviews it; one without components is its text."""
    style = template.parameter_format or ParameterFormat.POSITIONAL
    return {
        "name": _name(template),
        "language": template.language,
        "category": (template.category or "").upper(),
        "parameter_format": style.upper(),
        "components": template.components or [{"type": "BODY", "text": template.content or ""}],
    }


def _template(row: dict[str, Any]) -> dict[str, object]:
    """Read one template into our fields."""
    language, reason = wire.text(row.get("language")), wire.text(row.get("rejected_reason"))
    return {
        "name": wire.text(row.get("name")),
        "language": language.replace("-", "_") if language else None,
        "whatsapp_template_id": wire.text(row.get("id")),
        "whatsapp_template_name": wire.text(row.get("name")),
        "status": _status(row.get("status")),
        "category": wire.text(row.get("category")),
        "parameter_format": _format(row.get("parameter_format")),
        "components": wire.storable([one for one in wire.listed(row.get("components")) if isinstance(one, dict)]),
        "rejection_reason": None if reason in _NO_REASON else reason,
        "quality": wire.text(wire.mapping(row.get("quality_score")).get("score")),
        **({"sub_category": kind} if (kind := wire.text(row.get("sub_category"))) else {}),
    }


def _status(said: object) -> TemplateStatus:
    """Read a status; one we do not know cannot be sent yet."""
    return TemplateStatus(LISTED.get((wire.text(said) or "").upper(), "pending"))


def _format(said: object) -> ParameterFormat:
    return ParameterFormat.NAMED if (wire.text(said) or "").upper() == "NAMED" else ParameterFormat.POSITIONAL


def _next(paging: object) -> str | None:
    """Find the cursor of the next page; its address is not followed, for it would leave the account's base URL."""
    found = wire.mapping(paging)
    following = wire.text(found.get("next"))
    if following is None:
        return None
    after = wire.text(wire.mapping(found.get("cursors")).get("after"))
    return after or _cursor(following)


def _cursor(address: str) -> str | None:
    try:
        return next(iter(parse_qs(urlsplit(address).query).get("after", [])), None)
    except ValueError:
        return None
