"""A message within a chat: its content, where it stands, and who may be told.

Deliberately no transport and no vendor words; `models.delivery_status` holds the rules by which a status
moves.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from models.values import Direction, MediaState, MessageStatus, MessageType, SenderType


@dataclass(slots=True, kw_only=True)
class Media:
    """The file of a media message; `url` is ours once `state` is ready, never the vendor's."""

    url: str | None = None
    media_id: str | None = None
    #: The vendor's short-lived address, for the fetch job only; it carries a hash, is never shown or logged.
    source_url: str | None = None
    mime_type: str | None = None
    file_name: str | None = None
    file_size: int | None = None
    caption: str | None = None
    thumbnail_url: str | None = None
    #: Lower-case hex, whatever the vendor's spelling.
    sha256: str | None = None
    voice: bool | None = None
    animated: bool | None = None
    state: MediaState = MediaState.PENDING
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class Location:
    """A pin; a bare one has only coordinates (degrees)."""

    latitude: float | None = None
    longitude: float | None = None
    name: str | None = None
    address: str | None = None
    url: str | None = None


@dataclass(slots=True, kw_only=True)
class Contact:
    """A shared contact card; `details` keeps the card whole as the vendor sent it."""

    name: str | None = None
    phone_number: str | None = None
    vcard: str | None = None
    user_id: str | None = None
    details: dict[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class Reply:
    """A tap on a button, a list row or a flow; `response` is what a flow or permission form returned."""

    kind: str
    id: str | None = None
    #: Which sort of form was answered, as the vendor names it: flow, address_message, …
    name: str | None = None
    title: str | None = None
    description: str | None = None
    payload: str | None = None
    response: Any = None


@dataclass(slots=True, kw_only=True)
class OrderItem:
    """One line of an order; the price is per piece, as the vendor wrote it."""

    product_id: str | None = None
    quantity: float | None = None
    price: float | None = None
    currency: str | None = None


@dataclass(slots=True, kw_only=True)
class Order:
    """A basket sent from the catalogue."""

    catalog_id: str | None = None
    text: str | None = None
    items: list[OrderItem] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Choice:
    """One reply button, or one row of a list."""

    id: str
    title: str
    description: str | None = None


@dataclass(slots=True, kw_only=True)
class ChoiceGroup:
    """The rows of a list under one heading."""

    title: str | None = None
    rows: list[Choice] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Interactive:
    """An outbound message that asks for a tap; its text is the message's `text`, a header's file its `media`.

    `kind`: buttons, list, cta_url, flow, location_request or contact_request.
    """

    kind: str
    header: str | None = None
    footer: str | None = None
    buttons: list[Choice] = field(default_factory=list)
    #: What the one button says that opens a list, a link or a flow.
    label: str | None = None
    sections: list[ChoiceGroup] = field(default_factory=list)
    url: str | None = None
    #: A flow as the vendor names it: flow_id or flow_name, flow_token, mode, flow_action, flow_action_payload.
    flow: dict[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class TemplateUse:
    """Which template an outbound message used, and with what.

    `parameters` are the values of the body in order; `components` what is sent, in Meta's shape; `variables` what is
    sent where a vendor numbers its placeholders (Twilio).
    """

    name: str
    language: str | None = None
    #: As the vendor files it; authentication templates go to phone numbers only (Meta).
    category: str | None = None
    #: Ours, and the vendor's.
    template_id: str | None = None
    provider_template_id: str | None = None
    parameters: list[str] = field(default_factory=list)
    components: list[dict[str, Any]] | None = None
    variables: dict[str, str] | None = None


@dataclass(slots=True, kw_only=True)
class MessageError:
    """Why a message failed or could not be shown; `kind` is ours, the rest the vendor's."""

    code: str | None = None
    message: str | None = None
    title: str | None = None
    details: str | None = None
    kind: str | None = None
    href: str | None = None
    retryable: bool = False


@dataclass(slots=True, kw_only=True)
class Context:
    """What a message answers or forwards; `message_id` is the vendor's id of the quoted message."""

    message_id: str | None = None
    from_: str | None = None
    referred_product: dict[str, Any] | None = None
    forwarded: bool | None = None
    frequently_forwarded: bool | None = None


@dataclass(slots=True, kw_only=True)
class Referral:
    """The ad or post a conversation came from, whole; `raw` keeps fields we do not name."""

    source_type: str | None = None
    source_id: str | None = None
    source_url: str | None = None
    headline: str | None = None
    body: str | None = None
    media_type: str | None = None
    image_url: str | None = None
    video_url: str | None = None
    thumbnail_url: str | None = None
    ctwa_clid: str | None = None
    raw: dict[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class Pricing:
    """What the vendor says a message costs."""

    billable: bool | None = None
    model: str | None = None
    category: str | None = None
    type: str | None = None


@dataclass(slots=True, kw_only=True)
class Conversation:
    """The vendor's billing conversation, where it still has one."""

    id: str | None = None
    origin_type: str | None = None
    expires_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Reaction:
    """One emoji of one sender; `from_` is the sender's address value, or `business`."""

    from_: str
    emoji: str
    at: datetime


@dataclass(slots=True, kw_only=True)
class Edit:
    """An earlier version of a message, kept when a newer one replaced it."""

    #: Which edit brought this version; None for the text as first sent.
    key: str | None = None
    text: str | None = None
    media: Media | None = None
    at: datetime


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One try to send; `outcome` is accepted, retry, throttled, paused, unknown or failed.

    `n` is the message's generation at the time, so numbers may be missing: of attempts that cost nothing only the
    latest are kept.
    """

    n: int
    at: datetime
    outcome: str | None = None
    error: MessageError | None = None
    request_id: str | None = None
    #: The vendor's id of what this attempt sent, once a later attempt has the message's own field.
    provider_message_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Fetch:
    """The work of fetching a message's files: when it is due, and who has it; gone once all are here or given up.

    While a worker has it, `due_at` is when its claim ends.
    """

    due_at: datetime
    claim: str | None = None
    tries: int = 0


@dataclass(slots=True, kw_only=True)
class Content:
    """What a message says, in our words; the part that providers produce and an edit replaces."""

    type: MessageType = MessageType.TEXT
    text: str | None = None
    media: Media | None = None
    #: Further files of the same message, where a vendor puts several into one.
    more_media: list[Media] | None = None
    location: Location | None = None
    contact: Contact | None = None
    contacts: list[Contact] | None = None
    reply: Reply | None = None
    order: Order | None = None
    system: dict[str, Any] | None = None
    template: TemplateUse | None = None
    interactive: Interactive | None = None
    error: MessageError | None = None
    #: The vendor's own type where ours says `unsupported`, `system` or loses a distinction.
    raw_type: str | None = None


@dataclass(slots=True, kw_only=True)
class Message(Content):
    """One bubble of a chat (seed §2); reactions, edits and revokes change it, they are no messages."""

    id: str
    chat_id: str
    config_id: str
    #: As whom the vendor knows the customer; absent where it told nothing but a number.
    user_id: str | None = None
    direction: Direction
    from_: str | None = None
    to: str | None = None
    context: Context | None = None
    referral: Referral | None = None

    status: MessageStatus
    read_status: str | None = None
    queued_at: datetime | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    played_at: datetime | None = None
    failed_at: datetime | None = None
    provider_status: str | None = None
    pricing: Pricing | None = None
    conversation: Conversation | None = None

    sender_id: str | None = None
    sender_name: str | None = None
    sender_type: SenderType

    provider: str
    provider_message_id: str | None = None
    client_ref: str | None = None
    group_id: str | None = None
    history: bool | None = None
    blocked: bool | None = None

    #: What an outbound reaction (type `reaction`) puts on which message; None or "" takes it away.
    emoji: str | None = None
    #: Our id of the message that an outbound reaction is for.
    target_id: str | None = None

    reactions: list[Reaction] | None = None
    #: When each sender last changed a reaction, removals included, so that a late older one does not undo a newer.
    reaction_times: dict[str, datetime] | None = None
    edits: list[Edit] | None = None
    edited_at: datetime | None = None
    #: Which edit the content shown came with.
    edit_key: str | None = None
    revoked_at: datetime | None = None

    attempts: list[Attempt] | None = None
    fetch: Fetch | None = None
    next_attempt_at: datetime | None = None
    lease_until: datetime | None = None
    generation: int | None = None
    #: Attempts that count against the limit, since a person last asked.
    tries: int | None = None
    idempotency_key: str | None = None
    #: Whether the use of a template was counted: once, when the vendor first took the message.
    template_counted: bool | None = None

    timestamp: datetime
    #: True where the vendor's time was absent or absurd and `timestamp` was clamped to the receipt.
    timestamp_clamped: bool | None = None
    received_at: datetime
    event_id: str | None = None
    #: The chat it was in before that was united with this one.
    merged_from: str | None = None
    metadata: dict[str, Any] | None = None
    is_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
