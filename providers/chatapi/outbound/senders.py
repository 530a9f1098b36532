"""Sending through an instance of chat-api.com's (a phone linked by its QR code), or a channel of 1msg's (WABA).

There is no idempotency key and no reference of ours in what comes back: a message whose answer is missing is found
again by its echo (services/conversing). Deliberately no queue is looked into here.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from models.message import Message, MessageError
from models.values import Direction, MessageType
from providers import wire
from providers.base import Account
from providers.chatapi.addresses import opened
from providers.chatapi.outbound import limits
from providers.chatapi.outbound.bodies import ONE_MSG_CALLS, WEB_CALLS, call_of
from providers.chatapi.outbound.methods import ONE_MSG, ONE_MSG_URL, WEB_URL, call, variant_of
from providers.chatapi.outbound.verdicts import judge, refusal, reported
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
from runtime.calls import HttpAnswer, HttpRequest

_MB: Final = 1024 * 1024
_ANY: Final[frozenset[str]] = frozenset()
_FILE: Final = MediaLimit(mime_types=_ANY, max_bytes=64 * _MB)
_MEDIA: Final = MediaLimit(mime_types=_ANY, max_bytes=16 * _MB)


class ChatApiSender(Sender):
    """Sends through an instance; of an account of the other variant the other sender does."""

    base_url: ClassVar[str] = WEB_URL
    #: No limit is documented; faster, and the phone gets banned.
    rates: ClassVar[Rates] = Rates(number_per_second=1, number_burst=1)
    text_limit: ClassVar[int] = limits.WEB.text
    media_limits: ClassVar[Mapping[MessageType, MediaLimit]] = {
        MessageType.IMAGE: _FILE,
        MessageType.VIDEO: _FILE,
        MessageType.AUDIO: _FILE,
        MessageType.DOCUMENT: _FILE,
    }

    def for_account(self, account: Account) -> Sender:
        """Choose by the account's variant."""
        return ONE_MSG_SENDER if variant_of(account) == ONE_MSG else self

    def problems(self, message: Message, to: Destination) -> Problems:
        """Say what chat-api.com would refuse."""
        return limits.problems(message, to, limits.WEB)

    def request(self, sending: Sending) -> HttpRequest:
        """Call the method of the message's type.

        Raises:
            Invalid: messages of this type cannot be sent, or the file of one is not at hand.
        """
        chosen = self.for_account(sending.account)
        if chosen is not self:
            return chosen.request(sending)
        method, body = call_of(sending, WEB_CALLS)
        return call(sending.account, method, body, base_url=sending.base_url)

    def judge(self, answer: HttpAnswer) -> Receipt | SendError:
        """Read the answer to a send."""
        return judge(answer)

    def mark_read(self, account: Account, *, base_url: str, message: Message, typing: bool) -> HttpRequest | None:
        """Mark the message's chat as read: WhatsApp Web knows no single messages here, and typing is another call."""
        chosen = self.for_account(account)
        if chosen is not self:
            return chosen.mark_read(account, base_url=base_url, message=message, typing=typing)
        chat = _chat_of(message) if message.direction is Direction.INBOUND else {}
        return call(account, "readChat", chat, base_url=base_url) if chat else None

    def taken(self, answer: HttpAnswer) -> SendError | None:
        """Read the answer to `readChat`: {"read": true, …}."""
        return refusal(answer)


class OneMsgSender(Sender):
    """Sends through a channel of 1msg's."""

    base_url: ClassVar[str] = ONE_MSG_URL
    #: The provider's rate, and Meta's for one recipient.
    rates: ClassVar[Rates] = Rates(number_per_second=80, number_burst=80, pair_seconds=6, pair_burst=45)
    text_limit: ClassVar[int] = limits.ONE_MSG.text
    media_limits: ClassVar[Mapping[MessageType, MediaLimit]] = {
        MessageType.IMAGE: _MEDIA,
        MessageType.VIDEO: _MEDIA,
        MessageType.AUDIO: _MEDIA,
        MessageType.DOCUMENT: MediaLimit(mime_types=_ANY, max_bytes=100 * _MB),
        MessageType.STICKER: MediaLimit(mime_types=frozenset({"image/webp"}), max_bytes=500 * 1024),
    }

    def problems(self, message: Message, to: Destination) -> Problems:
        """Say what 1msg would refuse."""
        return limits.problems(message, to, limits.ONE_MSG)

    def request(self, sending: Sending) -> HttpRequest:
        """Call the method of the message's type.

        Raises:
            Invalid: messages of this type cannot be sent, or the file of one is not at hand.
        """
        method, body = call_of(sending, ONE_MSG_CALLS)
        return call(sending.account, method, body, base_url=sending.base_url)

    def judge(self, answer: HttpAnswer) -> Receipt | SendError:
        """Read the answer to a send."""
        return judge(answer)

    def reported(self, error: MessageError) -> SendError | None:
        """Say what follows from a failed ack: many refusals of WABA come only then."""
        return reported(error)

    def mark_read(self, account: Account, *, base_url: str, message: Message, typing: bool) -> HttpRequest | None:
        """Mark a message as read, and show for up to 25 s that we type."""
        if message.direction is not Direction.INBOUND or not message.provider_message_id:
            return None
        body: dict[str, Any] = {"messageId": message.provider_message_id}
        return call(account, "readMessage", body | ({"typing_indicator": True} if typing else {}), base_url=base_url)

    def taken(self, answer: HttpAnswer) -> SendError | None:
        """Read the answer to `readMessage`: {"result": "success"}."""
        return refusal(answer)


ONE_MSG_SENDER: Final = OneMsgSender()


def _chat_of(message: Message) -> dict[str, str]:
    """Name the chat a message came in: by its id, as far as that tells, else by who wrote it."""
    chat = message.group_id or opened(message.provider_message_id or "").chat
    if chat is None and "@" in (message.from_ or ""):
        chat = message.from_
    if chat:
        return {"chatId": chat}
    phone = wire.phone(message.from_)
    return {"phone": phone.removeprefix("+")} if phone else {}
