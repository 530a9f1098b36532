"""The closed vocabularies of the field, spelled as they are stored and sent.

Deliberately no behaviour beyond membership: rules live with the entity they govern.
"""

from enum import StrEnum


class ProviderName(StrEnum):
    """How a vendor is named in documents (the seed's `provider`)."""

    META = "meta-whatsapp"
    TWILIO = "twilio"
    CHATAPI = "chatapi"


class ChatStatus(StrEnum):
    """Where a chat stands with the team."""

    UNASSIGNED = "unassigned"
    ASSIGNED = "assigned"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Direction(StrEnum):
    """Seen from the business."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class SenderType(StrEnum):
    """Who wrote a message; `business_app` is an echo from the phone app."""

    AGENT = "agent"
    CUSTOMER = "customer"
    SYSTEM = "system"
    BUSINESS_APP = "business_app"


class MessageType(StrEnum):
    """What a message is (see the table of message types in docs/data-model.md)."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"
    LOCATION = "location"
    CONTACT = "contact"
    STICKER = "sticker"
    BUTTON = "button"
    INTERACTIVE = "interactive"
    ORDER = "order"
    SYSTEM = "system"
    TEMPLATE = "template"
    #: Outbound only, and never shown as a bubble: once accepted it stands on its target.
    REACTION = "reaction"
    UNSUPPORTED = "unsupported"


MEDIA_TYPES = frozenset(
    {MessageType.IMAGE, MessageType.VIDEO, MessageType.AUDIO, MessageType.DOCUMENT, MessageType.STICKER}
)


class MessageStatus(StrEnum):
    """The life of a message; inbound ones are `received` until an agent reads them."""

    RECEIVED = "received"
    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELED = "canceled"


class MediaState(StrEnum):
    """Whether the bytes of a message's media are with us."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


class AddressKind(StrEnum):
    """The kinds of identity a customer can be reached under."""

    PHONE = "phone"
    BSUID = "bsuid"
    PARENT_BSUID = "parent_bsuid"
    CHATAPI = "chatapi"


class EventStatus(StrEnum):
    """What became of a stored delivery."""

    PENDING = "pending"
    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"
    IGNORED = "ignored"


class Outcome(StrEnum):
    """What became of one part of a delivery."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    FAILED = "failed"


class Priority(StrEnum):
    """How pressing a chat or a follow-up is; follow-ups know no `urgent`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"
