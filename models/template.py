"""A message template (seed §5): a quick reply of our own, or one that the vendor approved.

Deliberately no rendering and no vendor calls: services fill templates in, providers send them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class TemplateStatus(StrEnum):
    """Where a template stands with the vendor; `local` ones never leave us as templates."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    PAUSED = "paused"
    DISABLED = "disabled"
    LOCAL = "local"


class ParameterFormat(StrEnum):
    """How the placeholders of a template are told apart: {{name}} or {{1}}."""

    NAMED = "named"
    POSITIONAL = "positional"


@dataclass(slots=True, kw_only=True)
class Template:
    """A template of one account and language; (account, name, language) is unique among live ones."""

    id: str
    config_id: str | None = None
    name: str
    content: str | None = None
    category: str | None = None
    variables: list[str] = field(default_factory=list)

    whatsapp_template_id: str | None = None
    whatsapp_template_name: str | None = None
    language: str | None = None
    status: TemplateStatus = TemplateStatus.LOCAL
    rejection_reason: str | None = None
    quality: str | None = None
    #: The vendor's definition, whole.
    components: list[dict[str, Any]] | None = None
    parameter_format: ParameterFormat | None = None
    #: What a send must fill in, read from `components`: component, kind, required; name or position; index, card.
    parameters: list[dict[str, Any]] | None = None
    last_sync_at: datetime | None = None
    #: The vendor's time at which each field was told, by our field name.
    told_at: dict[str, datetime] | None = None
    #: What else the vendor says of it, in its own words (a namespace, a sub-category).
    metadata: dict[str, Any] | None = None

    usage_count: int = 0
    last_used_at: datetime | None = None

    created_by: str | None = None
    is_active: bool = True
    is_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
