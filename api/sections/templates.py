"""Templates: everybody who answers may read them, those who manage them may change them."""

from dataclasses import asdict, replace
from typing import Any, Final

from api.access import ANY_TOKEN, caller, permission
from api.desk import desk
from api.schemas.templates import (
    PreviewOrder,
    PreviewSchema,
    RemovedSchema,
    SyncOrder,
    SyncReport,
    TemplateChange,
    TemplateDraft,
    TemplatePage,
    TemplateSchema,
    TemplatesQuery,
)
from api.section import Section
from models.store.codec import to_document
from models.store.paging import Page
from models.store.templates import saying
from models.store.views import Listing
from runtime.errors import Invalid
from services.curating.using import preview

section: Final = Section("templates", about="Quick replies of our own, and the vendors' message templates.")
_MANAGER: Final = permission("can_manage_templates")


@section.endpoint("GET", "/templates", needs=ANY_TOKEN, query=TemplatesQuery, answers=TemplatePage)
def list_templates(listing: Listing) -> Page:
    """List templates, by default by name.

    `parameters` says what a send must fill in; only `approved` ones that are active can be sent.
    """
    wanted = dict(listing.wanted)
    text = wanted.pop("q", None)
    return desk().templates.page(replace(listing, wanted=wanted), scope=saying(str(text)) if text else None)


@section.endpoint("GET", "/templates/<template_id>", needs=ANY_TOKEN, answers=TemplateSchema)
def get_template(template_id: str) -> dict[str, Any]:
    """Get a template."""
    return desk().templates.one(template_id)


@section.endpoint(
    "POST",
    "/templates",
    needs=_MANAGER,
    body=TemplateDraft,
    answers=TemplateSchema,
    status=201,
    problems=(409, 422),
)
def create_template(draft: dict[str, Any]) -> dict[str, Any]:
    """Create a quick reply, or ask the vendor for a template.

    With `vendor` the template is `pending` until the vendor has judged it. A vendor that says no is 409
    `vendor_refused`; one that lets nobody make templates from outside, 409 `vendor_only`.
    """
    create = desk().keeping.ask_vendor if draft.pop("vendor") else desk().keeping.add_local
    return desk().templates.one(create(draft, by=caller()).id)


@section.endpoint(
    "PUT", "/templates/<template_id>", needs=_MANAGER, body=TemplateChange, answers=TemplateSchema, problems=(409, 422)
)
def update_template(change: dict[str, Any], template_id: str) -> dict[str, Any]:
    """Change a quick reply, or switch a vendor's template on or off for the team."""
    if change:
        desk().keeping.change(template_id, change, by=caller())
    return desk().templates.one(template_id)


@section.endpoint("DELETE", "/templates/<template_id>", needs=_MANAGER, answers=RemovedSchema, problems=(409,))
def delete_template(template_id: str) -> dict[str, Any]:
    """Remove a template, at the vendor too where it is there."""
    desk().keeping.remove(template_id, by=caller())
    return {"id": template_id}


@section.endpoint("POST", "/templates/<template_id>/preview", needs=ANY_TOKEN, body=PreviewOrder, answers=PreviewSchema)
def preview_template(order: dict[str, Any], template_id: str) -> dict[str, Any]:
    """Show a template's text with values put in; nothing is sent and nothing checked."""
    return asdict(preview(desk().services.templates.get(template_id), order["values"]))


@section.endpoint("POST", "/templates/sync", needs=_MANAGER, body=SyncOrder, answers=SyncReport, problems=(422,))
def sync_templates(order: dict[str, Any]) -> dict[str, Any]:
    """Read the vendors' templates now; Hookline does so by itself every hour.

    An account whose list could not be read to its end has a `reason`, and nothing of it counts as vanished.
    """
    config_id = order.get("config_id")
    if config_id is not None and all(config.id != config_id for config in desk().services.configs.live()):
        raise Invalid("no such account", fields={"configId": ["There is no such account."]})
    return {"data": [to_document(one) for one in desk().syncing.sync(config_id)]}
