"""Which of our accounts a webhook is for: by the vendor's account and our number, or the messaging service.

Several numbers share an account, so its SID alone names too many. Where nobody has the number that a webhook
names, an account of ours without a number takes it. Deliberately trusts nothing: the signature is checked
elsewhere, and whether its maker may speak for the account found.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final
from urllib.parse import unquote_plus

from providers.base import JSON, Account, WebhookRequest
from providers.events import AccountKey
from providers.twilio.parameters import MAX_FORM_BYTES, Parameters
from providers.twilio.parties import bare

#: How webhooks name an account: by an Account SID and a number, a service or any number of it, or by that alone.
SENDER: Final = "account_sid/sender"
SERVICE: Final = "account_sid/messaging_service_sid"
ANY_SENDER: Final = "account_sid/any"
ACCOUNT: Final = "account_sid"
#: Status words of inbound messages; with any other a webhook is about an outbound one.
INBOUND_WORDS: Final = frozenset({"received", "receiving"})
#: Words of a callback that a read receipt overtakes.
_BEFORE_READ: Final = frozenset({"sent", "delivered"})
#: Parameters looked at in one unverified body, at most: each name once, and some room for repetitions.
HINTS: Final = 24

_NAMES: Final = rb"AccountSid|From|To|MessagingServiceSid|MessageStatus|SmsStatus|EventType"
_IN_FORM = re.compile(rb"(?:\A|&)(" + _NAMES + rb")=([^&]{1,256})")
_IN_JSON = re.compile(rb'"(' + _NAMES + rb')"[ \t\r\n]{0,8}:[ \t\r\n]{0,8}"([^"\\]{1,256})"')


def account_keys(account: Account) -> Iterator[AccountKey]:
    """Name an account in all the ways in which webhooks do."""
    sid, service = account.field("accountSid"), account.field("messagingServiceSid")
    if not sid:
        return
    ours = bare(account.field("phoneNumber"))
    yield AccountKey(ACCOUNT, sid)
    yield AccountKey(SENDER, f"{sid}/{ours}") if ours else AccountKey(ANY_SENDER, sid)
    if service:
        yield AccountKey(SERVICE, f"{sid}/{service}")


def number(account: Account) -> AccountKey | None:
    """Name whose number an account is: a sender's, else a messaging service's, else any of the Account SID's."""
    names = {key.kind: key for key in account_keys(account)}
    return names.get(SENDER) or names.get(SERVICE) or names.get(ANY_SENDER)


def key_of(parameters: Parameters) -> AccountKey | None:
    """Name the account a webhook is for; where it tells no number of ours, any with the Account SID will do."""
    sid, ours = parameters.text("AccountSid"), our_address(parameters)
    if sid is None:
        return None
    last = AccountKey(ANY_SENDER if ours else ACCOUNT, sid)
    return _narrowed(last, ours, parameters.text("MessagingServiceSid"))


def hints(request: WebhookRequest) -> frozenset[AccountKey]:
    """Name the account an unverified request seems to be for, else whoever shares its Account SID."""
    pattern = _IN_JSON if request.content_type == JSON else _IN_FORM
    found = Parameters(dict(reversed(list(_seen(pattern, request.body)))))
    sid = found.text("AccountSid")
    if sid is None:
        return frozenset()
    last = AccountKey(ANY_SENDER, sid, wider=AccountKey(ACCOUNT, sid))
    return frozenset({_narrowed(last, our_address(found), found.text("MessagingServiceSid"))})


def is_status(parameters: Parameters) -> bool:
    """Tell a status callback from an inbound message: the two come to one URL.

    Messages count their files, callbacks do not: with that a status we do not know is no reason to lose a message.
    """
    word = status_word(parameters)
    if word is None or word in INBOUND_WORDS:
        return False
    return "NumMedia" not in parameters or "MessageStatus" in parameters


def status_word(parameters: Parameters) -> str | None:
    """Read the status; `SmsStatus` is its older name, `EventType` the channel's own word, READ the surest of them."""
    word = _word(parameters, "MessageStatus", "SmsStatus")
    event = _word(parameters, "EventType")
    return event if word is None or (event == "read" and word in _BEFORE_READ) else word


def _word(parameters: Parameters, *names: str) -> str | None:
    word = parameters.first_of(*names)
    return (word.strip().lower() or None) if word else None


def our_address(parameters: Parameters) -> str | None:
    """Read which number is ours: the sender of what we sent, the recipient of what came in."""
    return bare(parameters.text("From" if is_status(parameters) else "To"))


def _narrowed(last: AccountKey, ours: str | None, service: str | None) -> AccountKey:
    """Put the narrower names before the last resort."""
    key = last
    if service:
        key = AccountKey(SERVICE, f"{last.value}/{service}", wider=key)
    return AccountKey(SENDER, f"{last.value}/{ours}", wider=key) if ours else key


def _seen(pattern: re.Pattern[bytes], body: bytes) -> Iterable[tuple[str, str]]:
    for found in islice(pattern.finditer(body[:MAX_FORM_BYTES]), HINTS):
        value = found[2].decode("utf-8", "replace")
        yield found[1].decode("ascii"), value if pattern is _IN_JSON else unquote_plus(value)
