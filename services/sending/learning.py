"""What receipts disclose about recipients: other forms under which the vendor knows them lead to the chat too.

Deliberately apart from the recording of the receipt: a message is accepted whether or not we learn anything by it.
"""

from models.message import Message
from models.store.audit import Session
from models.store.batch import Batch, Wanted
from models.store.conversations import Conversations
from models.values import MessageStatus
from providers.base import Account
from providers.events import Party, StatusChanged
from providers.outbound import Destination, Receipt
from runtime.clock import Clock
from runtime.logs import logger
from services.conversing.facts import Fact
from services.conversing.parties import acquaint, address_keys, lead_to

_log = logger(__name__)


class Learning:
    """Learns other forms of addresses."""

    def __init__(self, conversations: Conversations, clock: Clock) -> None:
        self._conversations = conversations
        self._clock = clock

    def learn(self, message: Message, receipt: Receipt, account: Account, to: Destination) -> None:
        """Let forms of the recipient that are news lead to the message's chat. Never fails."""
        party = _news(receipt, to)
        if party is None:
            return
        try:
            self._learn(message, receipt, account, party)
        except Exception as error:  # noqa: BLE001  the next receipt tells it again
            _log.warning("recipient_not_learnt", message_id=message.id, error=type(error).__name__, exc_info=True)

    def _learn(self, message: Message, receipt: Receipt, account: Account, party: Party) -> None:
        now = self._clock.now()
        told = StatusChanged(
            account=None,
            path="",
            key=f"receipt:{message.id}",
            at=now,
            provider_message_id=receipt.provider_message_id or "",
            status=MessageStatus.ACCEPTED,
            provider_status="",
            party=party,
        )
        fact = Fact(event=told, account=account, event_id="", received_at=now)

        def fold(batch: Batch, _: Session) -> None:
            chat = batch.chats.get(message.chat_id)
            if chat is None:
                return
            _customer, seats = acquaint(batch, fact, party, known_as=batch.customers.get(chat.entity.customer_id or ""))
            lead_to([seat for seat in seats if seat.chat_id is None], chat.entity.id)

        wanted = Wanted(chats={message.chat_id}, addresses=set(address_keys(account, party)))
        self._conversations.change(wanted, fold, now=now)


def _news(receipt: Receipt, to: Destination) -> Party | None:
    """The recipient with what a receipt discloses and we did not know; None where that is nothing."""
    told = {"phone": receipt.phone, "user_id": receipt.user_id}
    known = {"phone": to.phone, "user_id": to.user_id}
    if to.group_id or not any(value and value != known[name] for name, value in told.items()):
        return None
    return Party(**{name: told[name] or known[name] for name in told})
