"""One call to a vendor: everything its request needs, the call itself, and its answer judged.

Deliberately no rows: what came of a call is written down by `services.sending.recording`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Protocol

from models.message import Message, MessageError
from models.store.sending import Recipient, Sends
from models.values import MessageType
from providers.base import Account, Provider
from providers.outbound import Destination, ErrorKind, Receipt, SendableMedia, Sender, SendError, Sending
from runtime.calls import HttpAnswer, HttpRequest, NotSent, Unanswered
from runtime.errors import Conflict, Invalid
from runtime.logs import logger
from runtime.metrics import SEND_CALL_SECONDS
from services.sending.destinations import destination_of
from services.sending.gate import Gate

#: How long (s) recording is tried again while the database is away. Longer than the lease: what somebody else finds
#: after that is `unknown`, which a late word of what really became of it puts right.
PATIENCE_S: Final = 120.0
#: The pause (s) between two tries.
PAUSE_S: Final = 0.25
#: The code of the conflict that a message is in whose chat was united with another, until it has followed.
CHAT_UNITED: Final = "chat_united"
#: Where webhooks of an account come in.
_WEBHOOKS: Final = "/api/whatsapp/webhooks"

_log = logger(__name__)


class Call(Protocol):
    """The one HTTP client."""

    def __call__(self, request: HttpRequest, *, deadline: timedelta) -> HttpAnswer:
        """Make a call.

        Raises:
            NotSent: nothing was acted upon.
            Unanswered: nobody knows.
        """
        ...


#: Lends a message's file to its vendor; None where the message has none. Fails with what is to be recorded.
Lend = Callable[[Message, Account], SendableMedia | SendError | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A message with everything that its sending needs."""

    message: Message
    to: Destination
    account: Account
    provider: Provider
    sender: Sender
    #: What to ask the vendor, or why there is nothing to ask.
    request: HttpRequest | SendError


class Calling:
    """Makes calls."""

    def __init__(
        self,
        *,
        sends: Sends,
        gate: Gate,
        call: Call,
        lend: Lend,
        is_outage: Callable[[BaseException], bool],
        base_url: Callable[[Account], str],
        public_url: str,
    ) -> None:
        self._sends = sends
        self._gate = gate
        self._call = call
        self._lend = lend
        self._is_outage = is_outage
        self._public_url = public_url
        self._base_url = base_url

    def prepare(self, message: Message) -> Ready:
        """Gather what the request needs and build it, or say in its place why there can be none.

        Raises:
            Conflict: the account is not there now, or the chat was united with another and its messages are following.
        """
        account, provider, sender = self._gate.account(message.config_id)
        recipient = self._sends.recipient(message.chat_id)
        if recipient.merged_into is not None:
            raise Conflict("The chat was united with another.", code=CHAT_UNITED)
        to = destination_of(message.chat_id, recipient.addresses)
        sending = Sending(
            message=message,
            to=to or Destination(),
            account=account,
            base_url=self._base_url(account),
            callback_url=f"{self._public_url}{_WEBHOOKS}/{provider.slug}/{account.id}",
        )
        request = _refused(recipient, to) or self._request(sending, sender)
        return Ready(message=message, to=sending.to, account=account, provider=provider, sender=sender, request=request)

    def _request(self, sending: Sending, sender: Sender) -> HttpRequest | SendError:
        """Build the request, once the message's file is in the vendor's hands."""
        media = self._lend(sending.message, sending.account)
        if isinstance(media, SendError):
            return media
        if sending.message.type is MessageType.TEMPLATE:
            sending = replace(sending, header_media=media)
        else:
            sending = replace(sending, media=media)
        try:
            return sender.request(sending)
        except Invalid as error:
            return final("invalid", str(error), details=", ".join(sorted(error.fields)) or None)
        except Exception as error:  # noqa: BLE001  it would be the same the next time, and those behind it would wait
            _log.error("request_not_built", message_id=sending.message.id, error=type(error).__name__, exc_info=True)
            return final("not_built", "The request to the vendor could not be built")

    def call(self, ready: Ready, *, deadline: timedelta) -> Receipt | SendError:
        """Make the call, once, and judge its answer. Total."""
        if isinstance(ready.request, SendError):
            return ready.request
        began = time.perf_counter()
        try:
            return ready.sender.judge(self._call(ready.request, deadline=deadline))
        except NotSent as error:
            return _failure(ErrorKind.RETRYABLE, error.reason, "The vendor could not be reached")
        except Unanswered as error:
            return _failure(ErrorKind.UNKNOWN, error.reason, "The vendor did not answer")
        except Exception as error:  # noqa: BLE001  whatever it was, the request may have left
            _log.error("send_crashed", message_id=ready.message.id, error=type(error).__name__, exc_info=True)
            return _failure(ErrorKind.UNKNOWN, "crashed", "Nobody knows whether it was sent")
        finally:
            SEND_CALL_SECONDS.observe(time.perf_counter() - began)

    def patiently(self, record: Callable[[], None]) -> None:
        """Write down what is known now and by nobody else, over an outage of the database."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return record()
            except Exception as error:
                if not self._is_outage(error) or time.monotonic() > until:
                    raise
                time.sleep(PAUSE_S)


def _failure(kind: ErrorKind, code: str, title: str) -> SendError:
    retryable = kind is ErrorKind.RETRYABLE
    return SendError(kind=kind, error=MessageError(code=code, title=title, kind=kind, retryable=retryable))


def _refused(recipient: Recipient, to: Destination | None) -> SendError | None:
    """Say why nothing may be sent to somebody any more."""
    if not recipient.is_there:
        return final("chat_deleted", "The chat was deleted")
    if recipient.is_blocked:
        return final("blocked", "The customer is blocked")
    return None if to is not None else final("no_address", "No address leads to this chat any more")


def final(code: str, title: str, *, details: str | None = None) -> SendError:
    """Make the error of a message that will not be sent."""
    error = MessageError(code=code, title=title, details=details, kind=ErrorKind.FINAL)
    return SendError(kind=ErrorKind.FINAL, error=error)
