"""Twilio's Programmable Messaging for WhatsApp at the door: whose webhook it is, who made it, how to answer.

Vendor documents: "Messaging webhooks", "Webhooks Security", "Track the message status of outbound messages".
Deliberately no reading of contents: `providers.twilio.messages` and `.statuses` do that, long after the 200.
"""

from collections.abc import Hashable, Iterable
from datetime import timedelta
from typing import Any, ClassVar, Final

from providers import wire
from providers.base import FORM, JSON, Account, Acknowledgement, Delivery, FormField, Provider, WebhookRequest
from providers.events import AccountKey, Event, Ignored, Malformed
from providers.outbound import MediaAccess, Sender, TemplateBook
from providers.twilio import routing, signature
from providers.twilio.messages import read_message
from providers.twilio.outbound import TwilioMedia, TwilioSender, TwilioTemplates
from providers.twilio.parameters import Parameters, read_items
from providers.twilio.parties import on_whatsapp, sender
from providers.twilio.statuses import CLIENT_REF, client_ref, read_status

#: TwiML for "no reply". Any text in another answer would be sent to the customer.
EMPTY_TWIML: Final = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
#: One of these makes a webhook one about a message, even where its SID is missing.
_OF_MESSAGES: Final = frozenset({"Body", "NumMedia", "MessageStatus", "SmsStatus", "MessageType"})


class Twilio(Provider):
    """Twilio Programmable Messaging."""

    slug: ClassVar[str] = "twilio"
    name: ClassVar[str] = "twilio"
    form: ClassVar[tuple[FormField, ...]] = (
        FormField("accountSid", "--account-sid", required=True, help="Account SID (AC…) of the sender's owner"),
        FormField(
            signature.TOKEN,
            "--auth-token",
            secret=True,
            required=True,
            help="Primary auth token: signs webhooks, and sends",
        ),
        FormField(
            "phoneNumber",
            "--from",
            help="The sender, +44… or whatsapp:+44…; left out: every sender of the account, and answers need a service",
            clean=sender,
        ),
        FormField("messagingServiceSid", "--messaging-service-sid", help="Messaging Service (MG…) to send by"),
        FormField(
            signature.SHARED_KEY,
            "--webhook-shared-key",
            secret=True,
            help="Shared key that signs webhooks in place of the token (Twilio's public beta)",
        ),
    )
    webhook_secret_field: ClassVar[str] = signature.TOKEN
    content_types: ClassVar[frozenset[str]] = frozenset({FORM, JSON})
    by_get: ClassVar[bool] = True
    service_window: ClassVar[timedelta | None] = timedelta(hours=24)
    sender: ClassVar[Sender | None] = TwilioSender()
    media: ClassVar[MediaAccess | None] = TwilioMedia()
    templates: ClassVar[TemplateBook | None] = TwilioTemplates()
    kept_headers: ClassVar[tuple[str, ...]] = ("content-type", "user-agent", "i-twilio-idempotency-token")

    def recognises(self, request: WebhookRequest) -> bool:
        """Look for Twilio's signature header."""
        return signature.SIGNATURE_HEADER in request.headers

    def account_keys(self, account: Account) -> Iterable[AccountKey]:
        """Name an account by its SID and (within that) its number and its messaging service."""
        return routing.account_keys(account)

    def number(self, account: Account) -> Hashable | None:
        """Tell the sender, else the messaging service, else the whole account: the SID alone is shared by senders."""
        return routing.number(account)

    def hinted_keys(self, request: WebhookRequest) -> frozenset[AccountKey]:
        """Find the Account SID and our number in the raw bytes."""
        return routing.hints(request)

    def verify(self, request: WebhookRequest, account: Account) -> bool:
        """Check the HMAC over URL and parameters, against every token of the ring."""
        return signature.verify(request, account)

    def acknowledge(self) -> Acknowledgement:
        """Answer with a TwiML that says nothing; for status callbacks it is as good as an empty body."""
        return Acknowledgement(200, EMPTY_TWIML, "text/xml; charset=utf-8")

    def kept_query(self, request: WebhookRequest) -> str:
        """Keep our own id of the message, which we put into the URL for status callbacks."""
        own_id = client_ref(request.query)
        return f"{CLIENT_REF}={own_id}" if own_id else ""

    def parse(self, delivery: Delivery) -> list[Event]:
        """Translate a message or a status callback; both come to one URL."""
        try:
            items = read_items(delivery.body, delivery.content_type)
        except wire.UnreadableError as error:
            return [Malformed(path="", key="", reason=error.reason)]
        return [event for path, item in items for event in _read(item, path, delivery.query)]


def _read(item: Any, path: str, query: str) -> list[Event]:
    """Read one item; whatever is wrong with it, the answer is an event."""
    parameters = Parameters(wire.mapping(item))
    account = routing.key_of(parameters)
    sid = parameters.first_of("MessageSid", "SmsMessageSid", "SmsSid")
    if sid is None:
        return [_without_sid(parameters, item, account, path)]
    status = routing.is_status(parameters)
    if not on_whatsapp(parameters):
        key = f"s:{sid}:{routing.status_word(parameters)}" if status else f"m:{sid}"
        kept = parameters.beyond(())
        return [Ignored(account=account, path=path, key=key, metadata=kept, reason="other_channel")]
    try:
        return read_status(parameters, path, sid, query) if status else read_message(parameters, path, sid)
    except wire.UnreadableError as error:
        return [Malformed(account=account, path=path, key="", reason=error.reason)]


def _without_sid(parameters: Parameters, item: Any, account: AccountKey | None, path: str) -> Event:
    """Tell a message that cannot be told from its repetition from webhooks of Twilio's other products."""
    if any(name in parameters for name in _OF_MESSAGES):
        return Malformed(account=account, path=path, key="", reason="message_without_sid")
    kept = wire.storable(item if isinstance(item, dict) else {"value": item}) if item else None
    reason = "unknown_shape" if item else "empty"
    return Ignored(account=account, path=path, key="", metadata=kept, reason=reason)
