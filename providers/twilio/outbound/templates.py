"""The templates of Twilio's Content API, with what WhatsApp said of them.

    GET /v1/ContentAndApprovals?PageSize=500
    {"contents": [{"sid": "HX…", "friendly_name": "…", "language": "en", "variables": {"1": "Ana"},
                   "types": {"twilio/text": {"body": "Hi {{1}}"}}, "approval_requests": {"status": "approved", …}}],
     "meta": {"next_page_url": null, …}}

Vendor document: "Content API resources". One content may hold several types, variants of one message for different
channels: they are its components. Deliberately no creating: that is done in Twilio's console, where samples and
fallbacks are given.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from providers import wire
from providers.answers import json_object, of_status
from providers.base import JSON, Account
from providers.outbound import ErrorKind, SendError, TemplateBook, TemplatePage
from providers.twilio.outbound.access import CONTENT, credentials, host_of
from providers.twilio.outbound.verdicts import refusal
from runtime.calls import HttpAnswer, HttpRequest

PATH: Final = "/v1/ContentAndApprovals"
#: Half of what Twilio allows: contents may be long.
FIRST_PAGE: Final = "PageSize=500"
#: Twilio's word -> ours. Without an approval it may be sent within the service window only, as one that waits for it.
STATUSES: Final = {
    "unsubmitted": "pending",
    "received": "pending",
    "pending": "pending",
    "approved": "approved",
    "rejected": "rejected",
    "paused": "paused",
    "disabled": "disabled",
}

#: Where the types of a content hold what the customer reads, the first that is there counts.
_TEXTS: Final = ("body", "title")


class TwilioTemplates(TemplateBook):
    """An account's contents."""

    def page(self, account: Account, *, base_url: str, cursor: str | None) -> HttpRequest:
        """Ask for a page; the cursor is the query that Twilio gave, so that its host stays ours to choose."""
        return HttpRequest(
            method="GET",
            url=f"{host_of(CONTENT, base_url)}{PATH}?{cursor or FIRST_PAGE}",
            headers={"Accept": JSON},
            authorization=credentials(account),
        )

    def read(self, answer: HttpAnswer) -> TemplatePage | SendError:
        """Read a page; what has no id cannot be sent and is left out."""
        if not 200 <= answer.status < 300:
            return refusal(answer)
        body = json_object(answer)
        if body is None or not isinstance(body.get("contents"), list):
            error = of_status(answer, ErrorKind.RETRYABLE, "Twilio's list of templates could not be understood")
            return SendError(kind=ErrorKind.RETRYABLE, error=error)
        contents = [wire.mapping(one) for one in body["contents"]]
        templates = [_template(content) for content in contents if wire.text(content.get("sid"))]
        # Names are not unique there: of two alike the first counts, and that has to be the one that may be sent.
        templates.sort(key=lambda one: one["status"] != "approved")
        return TemplatePage(templates=templates, next=_next(wire.mapping(body.get("meta"))))


def _next(meta: Mapping[str, Any]) -> str | None:
    address = wire.text(meta.get("next_page_url"))
    try:
        return (urlsplit(address).query or None) if address else None
    except ValueError:
        return None


def _template(content: Mapping[str, Any]) -> dict[str, object]:
    approval = wire.first(content.get("approval_requests"))
    types = _types(wire.mapping(content.get("types")), wire.text(approval.get("content_type")))
    return {
        "whatsapp_template_id": wire.text(content.get("sid")),
        "name": wire.text(approval.get("name")) or wire.text(content.get("friendly_name")) or wire.text(content["sid"]),
        "language": wire.text(content.get("language")),
        "status": STATUSES.get((wire.text(approval.get("status")) or "unsubmitted").lower(), "pending"),
        "category": wire.text(approval.get("category")),
        "rejection_reason": wire.text(approval.get("rejection_reason")),
        "content": next((text for one in types for name in _TEXTS if (text := wire.text(one.get(name)))), None),
        "components": types,
    }


def _types(found: Mapping[str, Any], approved: str | None) -> list[dict[str, Any]]:
    """List the types of a content: the one that was approved first, plain text last."""
    order = sorted(found, key=lambda kind: (kind != approved, kind == "twilio/text"))
    return [{**wire.storable(wire.mapping(found[kind])), "type": kind} for kind in order]
