"""How fast each number, and each pair of a number and a customer, may be written to.

The vendor's rates are the defaults; where it says that we are too fast, everybody slows down. Deliberately no phone
number in any name: a chat stands for its pair.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from models.message import Message
from providers.base import Account, Provider
from providers.events import AccountKey
from providers.outbound import Rates, SendError, Throttle
from runtime.limiter import Bucket, Limiter
from runtime.metrics import SEND_THROTTLES

#: The longest wait for a token worth holding on to the chat.
PATIENCE: Final = timedelta(milliseconds=250)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait, and whether all chats of the number have to."""

    wait: timedelta
    all_chats: bool


class Pacing:
    """Takes tokens for messages."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def take(self, message: Message, account: Account, provider: Provider, rates: Rates) -> Pace:
        """Take the tokens of a message. A wait longer than PATIENCE: nothing was taken, come back then."""
        pair = _pair(message, rates)
        wait = self._limiter.take([_number(account, rates), _wide(account, provider), pair], patience=PATIENCE)
        return Pace(wait.length, all_chats=wait.bucket not in {None, pair})

    def slow_down(
        self, message: Message, account: Account, provider: Provider, rates: Rates, error: SendError
    ) -> timedelta:
        """Slow down whom the vendor finds too fast; return for how long."""
        scope = error.throttle or Throttle.NUMBER
        SEND_THROTTLES.labels(provider.name, scope.value).inc()
        buckets = {Throttle.PAIR: _pair(message, rates), Throttle.ACCOUNT: _wide(account, provider)}
        return self._limiter.hold(buckets.get(scope, _number(account, rates)), error.retry_after)


def _number(account: Account, rates: Rates) -> Bucket:
    return Bucket(f"number:{account.id}", 1 / rates.number_per_second, rates.number_burst)


def _pair(message: Message, rates: Rates) -> Bucket:
    """The bucket of a message's chat: without a rate where there is no such limit."""
    return Bucket(f"pair:{message.chat_id}", rates.pair_seconds or 0.0, rates.pair_burst)


def _wide(account: Account, provider: Provider) -> Bucket:
    """The bucket of all numbers that the vendor counts together: it has no rate, but may be held.

    Of the vendor's names for an account, "business_account…" and "account_sid" come before that of a number.
    """
    keys = [_widest(key) for key in provider.account_keys(account)]
    name = min((f"{key.kind}:{key.value}" for key in keys), default=account.id)
    return Bucket(f"account:{provider.name}:{name}", 0.0)


def _widest(key: AccountKey) -> AccountKey:
    return _widest(key.wider) if key.wider else key
