"""Sending messages through Meta's Cloud API: requests, what is wrong with them beforehand, and what was answered.

    200 {"messaging_product": "whatsapp", "contacts": [{"input": "+4477…", "wa_id"?: "4477…", "user_id"?: "GB.…"}],
         "messages": [{"id": "wamid.…", "message_status"?: "accepted|held_for_quality_assessment|paused"}]}

Vendor document: "Cloud API: Messages". There is no idempotency key: our id goes along and comes back in every
status. Deliberately sends nothing: services carry requests out.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from models.message import Message, MessageError
from models.values import MessageType
from providers import wire
from providers.answers import json_object
from providers.base import Account
from providers.meta.outbound import graph, judging, media_limits
from providers.meta.outbound.bodies import body_of
from providers.meta.outbound.limits import TEXT_LENGTH, problems_of
from providers.meta.parties import address_of
from providers.outbound import Destination, MediaLimit, Problems, Rates, Receipt, Sender, SendError, Sending
from runtime.calls import HttpAnswer, HttpRequest


class MetaSender(Sender):
    """Messages of one phone number."""

    base_url: ClassVar[str] = graph.BASE_URL
    #: 80 a second for a number, and to one recipient one in 6 s, of which 45 may be borrowed from the future.
    rates: ClassVar[Rates] = Rates(number_per_second=80, number_burst=10, pair_seconds=6, pair_burst=45)
    text_limit: ClassVar[int] = TEXT_LENGTH
    media_limits: ClassVar[Mapping[MessageType, MediaLimit]] = media_limits.LIMITS

    def problems(self, message: Message, to: Destination) -> Problems:
        """Say by field what Meta would refuse."""
        return problems_of(message, to)

    def request(self, sending: Sending) -> HttpRequest:
        """Build the request; Meta repeats our id in every status of the message.

        Raises:
            Invalid: `problems` was not asked, or the file is not at hand.
        """
        return _post(sending.account, sending.base_url, body_of(sending))

    def judge(self, answer: HttpAnswer) -> Receipt | SendError:
        """Read the answer to a send: a message id means taken, an error's code decides, all else is unknown."""
        data = json_object(answer)
        sent = wire.first((data or {}).get("messages"))
        own_id = wire.text(sent.get("id"))
        error = judging.failure(answer, data)
        if own_id is None:
            return error or judging.unclear(answer)
        if error is None or 200 <= answer.status < 300:
            return _receipt(answer, data or {}, sent, own_id)
        # It has an id and yet was refused: nobody knows.
        return judging.unclear(answer)

    def reported(self, error: MessageError) -> SendError | None:
        """Say what follows from a status's error: many refusals come only then, with the same codes."""
        return judging.consequence(error)

    def mark_read(self, account: Account, *, base_url: str, message: Message, typing: bool) -> HttpRequest | None:
        """Mark a message and all before it as read; groups have no such marks."""
        if not message.provider_message_id or message.group_id:
            return None
        body: dict[str, Any] = {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": message.provider_message_id,
        }
        return _post(account, base_url, body | ({"typing_indicator": {"type": "text"}} if typing else {}))

    def taken(self, answer: HttpAnswer) -> SendError | None:
        """Read the answer to a read receipt, which may be sent again without harm."""
        return judging.refusal(answer)


def _post(account: Account, base_url: str, body: dict[str, Any]) -> HttpRequest:
    return graph.ask(account, "POST", base_url, graph.owned(account, "phoneNumberId"), "messages", body=body)


def _receipt(answer: HttpAnswer, data: dict[str, Any], sent: dict[str, Any], own_id: str) -> Receipt:
    """Read under which ids Meta knows the recipient: the number dialled may not be the one it answers to."""
    contact = wire.first(data.get("contacts"))
    in_group = wire.text(sent.get("group_id")) is not None
    address = address_of(None if in_group else contact.get("wa_id"), contact.get("user_id"), None)
    return Receipt(
        provider_message_id=own_id,
        provider_status=wire.text(sent.get("message_status")),
        phone=address.phone,
        user_id=address.user_id,
        request_id=judging.trace_of(answer),
    )
