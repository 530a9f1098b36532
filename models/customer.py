"""A person on the other side (seed §9), who may have many addresses and may hide their number.

Deliberately no addresses inside: they are rows of their own, so that they can be unique and can move.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class PostalAddress:
    """Where the customer lives, as agents wrote it down."""

    street: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    zip_code: str | None = None


@dataclass(slots=True, kw_only=True)
class Wish:
    """What a person wants of a category of messages ("stop", "resume"), since the vendor's time of the word."""

    value: str
    at: datetime


@dataclass(slots=True, kw_only=True)
class Customer:
    """Who somebody is; `phone_number` is E.164 and absent where the vendor hides it."""

    id: str
    phone_number: str | None = None
    user_id: str | None = None
    username: str | None = None
    #: The vendor's time at which each of these was told, by our field name: older news does not replace newer.
    seen_at: dict[str, datetime] | None = None

    name: str | None = None
    email: str | None = None
    avatar: str | None = None
    alternate_phone_numbers: list[str] = field(default_factory=list)
    address: PostalAddress | None = None
    tags: list[str] = field(default_factory=list)
    notes: str | None = None
    language: str | None = None

    whatsapp_name: str | None = None
    #: The vendor's time of the message that told the name.
    named_at: datetime | None = None
    #: The vendor's time at which the phone app's address book gave the name.
    booked_at: datetime | None = None
    #: What the person wishes of each category of messages ("marketing").
    message_preferences: dict[str, Wish] | None = None
    whatsapp_profile_picture: str | None = None
    is_verified: bool | None = None

    total_chats: int = 0
    total_messages: int = 0
    first_contact_at: datetime | None = None
    last_contact_at: datetime | None = None
    preferred_agent: str | None = None
    preferred_contact_time: str | None = None
    #: The customer this one was merged into, so that the merge can be undone.
    merged_into: str | None = None

    is_active: bool = True
    is_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
