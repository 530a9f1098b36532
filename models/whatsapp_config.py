"""An account with a vendor (seed §13): whose number it is, its sealed secrets, and how it fares.

Deliberately no keys and no opening of secrets: the fields hold ciphertext, `services` opens them for use.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

#: Fields that hold ciphertext and are never shown; the API says only whether they are set.
SECRET_FIELDS: Final = ("access_token", "webhook_verify_token", "webhook_secret", "auth_token", "api_key")


class WebhookStatus(StrEnum):
    """Whether the vendor's webhooks reach us (the seed's words)."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ERROR = "error"


class HealthState(StrEnum):
    """How an account fares; all but `ok` want a person."""

    OK = "ok"
    AUTH_ERROR = "auth_error"
    PAUSED = "paused"
    RESTRICTED = "restricted"
    NO_EVENTS = "no_events"


@dataclass(slots=True, kw_only=True)
class Health:
    """A state, since when, and why."""

    state: HealthState = HealthState.OK
    since: datetime | None = None
    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class BusinessProfile:
    """What customers see of the business."""

    name: str | None = None
    description: str | None = None
    email: str | None = None
    website: str | None = None
    address: str | None = None
    profile_picture_url: str | None = None


@dataclass(slots=True, kw_only=True)
class OldSecret:
    """A sealed value that a rotation replaced and that is still accepted until `until`."""

    #: The document name of the secret, e.g. "webhookSecret".
    field: str
    value: str
    until: datetime | None = None


@dataclass(slots=True, kw_only=True)
class WhatsAppConfig:
    """One number of one vendor; several live ones per vendor are usual."""

    id: str
    provider: str
    #: What the team calls the account.
    name: str | None = None
    is_active: bool = True
    #: The business's own number, E.164: Twilio's sender, Meta's display number.
    phone_number: str | None = None

    access_token: str | None = None
    phone_number_id: str | None = None
    business_account_id: str | None = None
    api_version: str | None = None
    webhook_verify_token: str | None = None
    webhook_secret: str | None = None

    account_sid: str | None = None
    auth_token: str | None = None
    messaging_service_sid: str | None = None

    instance_id: str | None = None
    api_key: str | None = None

    #: Fields of vendors the seed does not know, by document name: plain ones, and sealed ones.
    other_fields: dict[str, str] = field(default_factory=dict)
    other_secrets: dict[str, str] = field(default_factory=dict)
    #: Newest last.
    old_secrets: list[OldSecret] = field(default_factory=list)
    #: Replaces the vendor's host, for tests and proxies.
    api_base_url: str | None = None
    webhook_url: str | None = None
    webhook_status: WebhookStatus = WebhookStatus.INACTIVE
    health: Health = field(default_factory=Health)
    business_profile: BusinessProfile | None = None

    last_sync_at: datetime | None = None
    last_event_at: datetime | None = None
    is_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


def plain_field(config: WhatsAppConfig, name: str) -> str | None:
    """Read a plain field by its document name, wherever it is kept."""
    attribute = _ATTRIBUTES.get(name)
    value = getattr(config, attribute) if attribute else config.other_fields.get(name)
    return None if value is None else str(value)


def sealed_ring(config: WhatsAppConfig, name: str, at: datetime) -> list[str]:
    """Return the sealed values, newest first, that a secret has at a moment; `name` as in documents."""
    attribute = _ATTRIBUTES.get(name)
    current = getattr(config, attribute) if attribute else config.other_secrets.get(name)
    old = [
        one.value for one in reversed(config.old_secrets) if one.field == name and (one.until is None or one.until > at)
    ]
    return [*([current] if current else []), *old]


def secret_path(name: str) -> str:
    """Tell where in a document the sealed value of a secret stands; `name` as in documents."""
    return name if name in _ATTRIBUTES else f"otherSecrets.{name}"


def set_field(config: WhatsAppConfig, name: str, value: str, *, secret: bool) -> None:
    """Write a plain or a sealed value by its document name, where it is kept."""
    attribute = _ATTRIBUTES.get(name)
    if attribute:
        setattr(config, attribute, value)
    elif secret:
        config.other_secrets[name] = value
    else:
        config.other_fields[name] = value


#: Document name -> attribute, for the fields that the seed names.
_ATTRIBUTES: Final = {
    "accessToken": "access_token",
    "phoneNumberId": "phone_number_id",
    "businessAccountId": "business_account_id",
    "apiVersion": "api_version",
    "webhookVerifyToken": "webhook_verify_token",
    "webhookSecret": "webhook_secret",
    "accountSid": "account_sid",
    "authToken": "auth_token",
    "messagingServiceSid": "messaging_service_sid",
    "instanceId": "instance_id",
    "apiKey": "api_key",
    "phoneNumber": "phone_number",
    "apiBaseUrl": "api_base_url",
}
