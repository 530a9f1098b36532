"""Sending through Twilio's Messages resource, and telling a customer that we read.

    POST /2010-04-01/Accounts/AC…/Messages.json    To=whatsapp:+4477…&From=whatsapp:+1555…&Body=…

Vendor documents: "Messages resource", "Send WhatsApp messages", "Typing indicators". There is no idempotency key; our
own id travels in the address for status callbacks. Deliberately no Content made here: templates exist at Twilio before
they are used.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import orjson

from models.message import Message, MessageError
from models.values import Direction, MessageType
from providers.base import FORM, JSON, Account
from providers.outbound import (
    Destination,
    MediaLimit,
    Problems,
    Rates,
    Receipt,
    Sender,
    SendError,
    Sending,
)
from providers.twilio.outbound.access import BASE_URL, MESSAGING, credentials, host_of, is_callable
from providers.twilio.outbound.verdicts import followed_by, judge
from providers.twilio.parties import WHATSAPP, bare
from providers.twilio.statuses import CLIENT_REF
from runtime.calls import HttpAnswer, HttpRequest
from runtime.errors import Invalid

#: Characters of a text, and of a caption: both are the Body.
TEXT_LIMIT: Final = 1_600
#: What a template's id begins with (Content SID).
CONTENT_SID: Final = "HX"
#: What a message's id begins with, without and with a file.
MESSAGE_SIDS: Final = ("SM", "MM")
TYPING_PATH: Final = "/v3/Indicators/Typing.json"

_KB: Final = 1024
_MB: Final = 1024 * _KB
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_DOCUMENTS: Final = frozenset(
    {"application/pdf", "application/msword", "text/vcard"}
    | {f"{_OFFICE}wordprocessingml.document", f"{_OFFICE}presentationml.presentation", f"{_OFFICE}spreadsheetml.sheet"}
)
_AUDIO: Final = frozenset({"audio/ogg", "audio/amr", "audio/3gpp", "audio/aac", "audio/mpeg"})

#: What WhatsApp can do and Twilio's Messages resource cannot express: type -> what to say.
NOT_EXPRESSIBLE: Final = {
    MessageType.REACTION: "Twilio cannot send reactions",
    MessageType.CONTACT: "Twilio cannot send contacts",
    MessageType.INTERACTIVE: "Twilio sends buttons and lists as approved templates only",
}
#: Why an account sends nothing.
NO_ORIGIN: Final = "has neither a number (--from) nor a messaging service (--messaging-service-sid) to send from"
_REFUSED: Final = "Twilio cannot send messages of this type"

#: Parameters of the form, and fields with what is wrong with them.
Pairs = Iterator[tuple[str, str]]
Found = Iterator[tuple[str, str]]


class TwilioSender(Sender):
    """Sends from one number, or by a messaging service."""

    base_url: ClassVar[str] = BASE_URL
    #: A sender's default throughput; pairs are limited by Meta.
    rates: ClassVar[Rates] = Rates(number_per_second=80, number_burst=80, pair_seconds=6, pair_burst=45)
    text_limit: ClassVar[int] = TEXT_LIMIT
    media_limits: ClassVar[Mapping[MessageType, MediaLimit]] = {
        MessageType.IMAGE: MediaLimit(mime_types=frozenset({"image/jpeg", "image/png"}), max_bytes=5 * _MB),
        MessageType.VIDEO: MediaLimit(mime_types=frozenset({"video/mp4", "video/3gpp"}), max_bytes=16 * _MB),
        MessageType.AUDIO: MediaLimit(mime_types=_AUDIO, max_bytes=16 * _MB),
        MessageType.DOCUMENT: MediaLimit(mime_types=_DOCUMENTS, max_bytes=16 * _MB),
        # WhatsApp makes a sticker of every WebP.
        MessageType.STICKER: MediaLimit(mime_types=frozenset({"image/webp"}), max_bytes=500 * _KB),
    }

    def for_account(self, account: Account) -> Sender:
        """Choose the sender of an account; one that nothing can be sent from says so of every message."""
        return self if _has_origin(account) else SENDS_NOTHING

    def problems(self, message: Message, to: Destination) -> Problems:
        """Say what Twilio would refuse, or send as something else."""
        found: Problems = {}
        for field, problem in _problems(message, to):
            found.setdefault(field, []).append(problem)
        return found

    def request(self, sending: Sending) -> HttpRequest:
        """Post the message as a form; our own id stands in the address for its callbacks.

        Raises:
            Invalid: messages of this type cannot be sent, the file of one is not at hand, or nobody sends it.
        """
        if not _has_origin(sending.account):
            raise Invalid("the account sends nothing", fields={"account": [NO_ORIGIN]})
        kind = sending.message.type
        if kind not in _CONTENTS:
            raise Invalid("this kind of message cannot be sent", fields={"type": [NOT_EXPRESSIBLE.get(kind, _REFUSED)]})
        sid = quote(sending.account.field("accountSid") or "", safe="")
        return HttpRequest(
            method="POST",
            url=f"{sending.base_url}/2010-04-01/Accounts/{sid}/Messages.json",
            headers={"Content-Type": FORM, "Accept": JSON},
            body=urlencode([*_frame(sending), *_CONTENTS[kind](sending)]).encode(),
            authorization=credentials(sending.account),
        )

    def judge(self, answer: HttpAnswer) -> Receipt | SendError:
        """Read the answer to a send."""
        return judge(answer)

    def reported(self, error: MessageError) -> SendError | None:
        """Say what follows from a callback's code: most refusals of WhatsApp come only then."""
        return followed_by(error)

    def mark_read(self, account: Account, *, base_url: str, message: Message, typing: bool) -> HttpRequest | None:
        """Use the typing indicator, which is all there is: it marks as read, and shows for up to 25 s that we type."""
        sid = message.provider_message_id or ""
        if message.direction is not Direction.INBOUND or not sid.startswith(MESSAGE_SIDS):
            return None
        return HttpRequest(
            method="POST",
            url=host_of(MESSAGING, base_url) + TYPING_PATH,
            headers={"Content-Type": JSON, "Accept": JSON},
            body=orjson.dumps({"channel": "WHATSAPP", "messageId": sid}),
            authorization=credentials(account),
        )


class _SendsNothing(TwilioSender):
    """Of an account that only listens, to every number of its owner: Twilio would have to guess who answers."""

    def problems(self, message: Message, to: Destination) -> Problems:
        """Refuse whatever it is."""
        return {"account": [NO_ORIGIN]}


SENDS_NOTHING: Final = _SendsNothing()


def _has_origin(account: Account) -> bool:
    return bool(bare(account.field("phoneNumber")) or account.field("messagingServiceSid"))


def address_of(to: Destination) -> str | None:
    """Spell a recipient: a number, else a BSUID; None for what Twilio cannot reach."""
    who = to.phone or to.user_id
    return f"{WHATSAPP}{who}" if who and not to.group_id else None


def with_reference(url: str, message_id: str) -> str:
    """Add our own id to a callback's address: to its query, before the fragment that says how Twilio retries."""
    parts = urlsplit(url)
    pair = urlencode({CLIENT_REF: message_id})
    return urlunsplit(parts._replace(query=f"{parts.query}&{pair}" if parts.query else pair))


def _frame(sending: Sending) -> Pairs:
    """Spell who writes to whom, and where callbacks go."""
    yield "To", address_of(sending.to) or ""
    ours = bare(sending.account.field("phoneNumber"))
    if ours:
        yield "From", f"{WHATSAPP}{ours}"
    service = sending.account.field("messagingServiceSid")
    if service:
        yield "MessagingServiceSid", service
    if sending.callback_url and is_callable(sending.callback_url, sending.base_url):
        yield "StatusCallback", with_reference(sending.callback_url, sending.message.id)


def _text(sending: Sending) -> Pairs:
    yield "Body", sending.message.text or ""


def caption_of(message: Message) -> str | None:
    """The text that goes with a file, wherever the writer put it."""
    return (message.media.caption if message.media else None) or message.text or None


def _file(sending: Sending) -> Pairs:
    if not (sending.media and sending.media.link):
        raise Invalid("the message's file is not at hand", fields={"media": ["is needed, as a link"]})
    caption = caption_of(sending.message)
    if caption:
        yield "Body", caption
    yield "MediaUrl", sending.media.link


def _location(sending: Sending) -> Pairs:
    """Spell a pin: the text is the place's name, what stands after the bar its label."""
    place = sending.message.location
    if place is None:
        return
    pin = f"{_degrees(place.latitude)},{_degrees(place.longitude)}"
    label = (place.address or place.name or "").replace("|", "/")
    yield "Body", place.name or place.address or pin
    yield "PersistentAction", f"geo:{pin}|{label}" if label else f"geo:{pin}"


def _degrees(value: float | None) -> str:
    """Write a coordinate without an exponent, to a tenth of a metre."""
    return f"{value or 0:.6f}".rstrip("0").rstrip(".")


def _template(sending: Sending) -> Pairs:
    use = sending.message.template
    if use is None:
        return
    yield "ContentSid", use.provider_template_id or ""
    if use.variables:
        yield "ContentVariables", orjson.dumps(use.variables).decode()


#: Type -> how its content is spelled. `problems` has refused the others.
_CONTENTS: Final[Mapping[MessageType, Callable[[Sending], Pairs]]] = {
    MessageType.TEXT: _text,
    MessageType.IMAGE: _file,
    MessageType.VIDEO: _file,
    MessageType.AUDIO: _file,
    MessageType.DOCUMENT: _file,
    MessageType.STICKER: _file,
    MessageType.LOCATION: _location,
    MessageType.TEMPLATE: _template,
}


def _problems(message: Message, to: Destination) -> Found:
    if address_of(to) is None:
        yield "to", "Twilio reaches phone numbers and user ids only"
    if message.context and message.context.message_id and message.type not in NOT_EXPRESSIBLE:
        yield "context.messageId", "Twilio cannot quote a message"
    if message.type in _CONTENTS:
        yield from _CHECKS[message.type](message)
    else:
        yield "type", NOT_EXPRESSIBLE.get(message.type, _REFUSED)


def _of_text(message: Message) -> Found:
    if not (message.text or "").strip():
        yield "text", "is needed"
    yield from _too_long("text", message.text)


def _of_captioned(message: Message) -> Found:
    yield from _without_file(message)
    yield from _too_long("media.caption", caption_of(message))


def _of_uncaptioned(message: Message) -> Found:
    yield from _without_file(message)
    if caption_of(message):
        yield "media.caption", f"Twilio sends this type ({message.type}) without a caption"


def _without_file(message: Message) -> Found:
    if message.media is None:
        yield "media", "is needed"
    if message.more_media:
        yield "moreMedia", "only one file can be sent in one message"


def _of_location(message: Message) -> Found:
    place = message.location
    if place is None or place.latitude is None or place.longitude is None:
        yield "location", "is needed"


def _of_template(message: Message) -> Found:
    use = message.template
    if use is None or not (use.provider_template_id or "").startswith(CONTENT_SID):
        yield "template", f"is not one of Twilio's: it has no id that begins with {CONTENT_SID}"


def _too_long(field: str, text: str | None) -> Found:
    if len(text or "") > TEXT_LIMIT:
        yield field, f"is longer than {TEXT_LIMIT} characters"


_CHECKS: Final[Mapping[MessageType, Callable[[Message], Found]]] = {
    MessageType.TEXT: _of_text,
    MessageType.IMAGE: _of_captioned,
    MessageType.VIDEO: _of_captioned,
    MessageType.AUDIO: _of_uncaptioned,
    MessageType.DOCUMENT: _of_uncaptioned,
    MessageType.STICKER: _of_uncaptioned,
    MessageType.LOCATION: _of_location,
    MessageType.TEMPLATE: _of_template,
}
