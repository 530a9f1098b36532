"""The way out of every dialect: our words become a request, and the vendor's answer a receipt or an error.

Four optional abilities of a provider: sending, media, templates, blocking. Deliberately pure, as parsing is: no I/O,
no clock, no database; `services` carry the requests out, and decide when.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

from models.message import Media, Message, MessageError
from models.template import Template
from models.values import MessageStatus, MessageType
from providers.base import Account
from runtime.calls import HttpAnswer, HttpRequest

#: A field's path as in the API's request body -> what is wrong with it.
Problems = dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The chat's own address: phone in E.164 with `+`, BSUID, the vendor's chat id, or a group."""

    phone: str | None = None
    user_id: str | None = None
    chat_id: str | None = None
    group_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendableMedia:
    """How the vendor gets a file: an id it gave us, or a public link."""

    vendor_id: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A message with everything its request needs. `message.id` is the reference the vendor is to echo."""

    message: Message
    to: Destination
    account: Account
    #: Scheme, host and perhaps a path prefix; no trailing slash.
    base_url: str
    media: SendableMedia | None = None
    #: The file of a template's header, where it has one.
    header_media: SendableMedia | None = None
    #: Where status callbacks go (Twilio); our reference is added by the dialect.
    callback_url: str | None = None


class ErrorKind(StrEnum):
    """What follows from a failed call."""

    #: Not sent; another try may succeed.
    RETRYABLE = "retryable"
    #: Not sent; too fast. Costs no attempt.
    THROTTLED = "throttled"
    #: Not sent; the account cannot send now (token, permission, payment): all its messages wait.
    OURS = "ours"
    #: Nobody knows whether it was sent.
    UNKNOWN = "unknown"
    #: Not sent, and never will be.
    FINAL = "final"


class Throttle(StrEnum):
    """Who is to be slowed."""

    NUMBER = "number"
    PAIR = "pair"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The vendor took a message."""

    provider_message_id: str | None
    status: MessageStatus = MessageStatus.ACCEPTED
    provider_status: str | None = None
    #: The forms under which the vendor knows the recipient: aliases of the address.
    phone: str | None = None
    user_id: str | None = None
    #: Anything else worth keeping (ChatAPI's queueNumber).
    metadata: Mapping[str, object] = field(default_factory=dict)
    #: How the vendor's support finds the call again.
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendError:
    """The vendor did not take it. `error.kind` is `kind`; texts never hold secrets."""

    kind: ErrorKind
    error: MessageError
    #: By the Retry-After header, in the vendor's words' sense; None where it says nothing that can be believed.
    retry_after: timedelta | None = None
    throttle: Throttle | None = None
    #: Tries in all that this code is worth; None: the schedule decides.
    tries: int | None = None
    #: What the account's health becomes (auth_error, paused, restricted), for `ours`.
    health: str | None = None
    #: The vendor says the service window is closed: our view is corrected.
    window_closed: bool = False
    #: How the vendor's support finds the call again.
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How fast a vendor lets us send; the defaults of token buckets."""

    #: Messages a second of one sender number, and how many at once.
    number_per_second: float
    number_burst: int
    #: Seconds between messages to one recipient in the long run, and how many at once; None: no such limit.
    pair_seconds: float | None = None
    pair_burst: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimit:
    """What files of one kind may be: media types (empty: any) and bytes."""

    mime_types: frozenset[str]
    max_bytes: int


class Sender(ABC):
    """Sending messages."""

    #: The vendor's host, where settings and account name no other.
    base_url: ClassVar[str]
    rates: ClassVar[Rates]
    #: Characters of a text message.
    text_limit: ClassVar[int]
    #: Message type -> what its file may be.
    media_limits: ClassVar[Mapping[MessageType, MediaLimit]] = {}

    def for_account(self, account: Account) -> "Sender":
        """Choose the sender of an account, where a vendor has variants that differ in what and how fast they send."""
        return self

    @abstractmethod
    def problems(self, message: Message, to: Destination) -> Problems:
        """Say by field what the vendor would refuse; empty where nothing is known against it. Pure."""

    @abstractmethod
    def request(self, sending: Sending) -> HttpRequest:
        """Build the request, with our own id in it wherever the vendor echoes one. Pure."""

    @abstractmethod
    def judge(self, answer: HttpAnswer) -> Receipt | SendError:
        """Read the answer to a send. Total: any bytes; what is not understood is `unknown`, never an exception."""

    def reported(self, error: MessageError) -> SendError | None:
        """Say what follows from an error that a status told after the message was taken; None where that is unknown."""
        return None

    def mark_read(self, account: Account, *, base_url: str, message: Message, typing: bool) -> HttpRequest | None:
        """Tell the customer that we read a message, perhaps that we type; None where the vendor has no such call."""
        return None

    def taken(self, answer: HttpAnswer) -> SendError | None:
        """Read the answer to a call that sends nothing (a read receipt): None where it was taken."""
        judged = self.judge(answer)
        return judged if isinstance(judged, SendError) and not 200 <= answer.status < 300 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSource:
    """Where a file can be fetched now, and what the vendor says of it."""

    url: str
    mime_type: str | None = None
    #: Lower-case hex.
    sha256: str | None = None
    size: int | None = None


class MediaAccess(ABC):
    """Fetching what customers sent, and handing over what is to be sent."""

    #: Hosts (or, with a leading dot, domains) from which files are fetched; the account's own base URL comes on top.
    #: Empty: any public host, since the customers' vendor stores files wherever it likes.
    hosts: ClassVar[frozenset[str]] = frozenset()
    #: Hosts to which the account's credentials may go; always also the account's own base URL.
    trusted_hosts: ClassVar[frozenset[str]] = frozenset()
    #: Redirects a download may follow, at most; the host of each is checked like the first, and its request is made by
    #: `download` anew, so that credentials stay with the hosts that are trusted.
    redirects: ClassVar[int] = 0
    #: How long the vendor keeps an inbound file.
    kept: ClassVar[timedelta] = timedelta(days=7)
    #: How long the id of an upload is good; None: the vendor takes links only.
    uploads_kept: ClassVar[timedelta | None] = None

    def look_up(self, account: Account, *, base_url: str, media: Media) -> HttpRequest | None:
        """Ask for the file's present address; None where `media.source_url` is it."""
        return None

    def found(self, answer: HttpAnswer) -> MediaSource | SendError:
        """Read the answer to `look_up`. Total."""
        raise NotImplementedError

    @abstractmethod
    def download(self, account: Account, *, url: str, trusted: bool) -> HttpRequest:
        """Build the request that fetches the file, with credentials only where the host is trusted."""

    def upload(self, account: Account, *, base_url: str, file_name: str, mime_type: str) -> HttpRequest | None:
        """Build the request that hands a file over; None where the vendor takes links only."""
        return None

    def uploaded(self, answer: HttpAnswer) -> str | SendError:
        """Read the vendor's id out of the answer to `upload`. Total."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplatePage:
    """One page of an account's templates as the vendor has them; `next` is None at the end."""

    #: Each by our field names: name, language, status, category, components, parameter_format, whatsapp_template_id, …
    templates: Sequence[Mapping[str, object]]
    next: str | None = None


class TemplateBook(ABC):
    """The vendor's templates."""

    def for_account(self, account: Account) -> "TemplateBook | None":
        """Choose the book of an account; None where its variant of the vendor has no templates."""
        return self

    @abstractmethod
    def page(self, account: Account, *, base_url: str, cursor: str | None) -> HttpRequest:
        """Ask for one page of all templates."""

    @abstractmethod
    def read(self, answer: HttpAnswer) -> TemplatePage | SendError:
        """Read a page. Total."""

    def read_at(self, answer: HttpAnswer, *, cursor: str | None) -> TemplatePage | SendError:
        """Read the page that was asked for by a cursor, for vendors whose answer alone does not say what follows."""
        return self.read(answer)

    def create(self, account: Account, *, base_url: str, template: Template) -> HttpRequest | None:
        """Ask the vendor for a new template; None where that is done elsewhere."""
        return None

    def created(self, answer: HttpAnswer) -> Mapping[str, object] | SendError:
        """Read what became of it, by our field names. Total."""
        raise NotImplementedError

    def delete(self, account: Account, *, base_url: str, template: Template) -> HttpRequest | None:
        """Ask the vendor to remove a template; None where that is done elsewhere."""
        return None

    def deleted(self, answer: HttpAnswer) -> SendError | None:
        """Read whether it did. Total."""
        raise NotImplementedError


class BlockList(ABC):
    """The vendor's own list of blocked senders."""

    @abstractmethod
    def change(self, account: Account, *, base_url: str, who: Destination, blocked: bool) -> HttpRequest:
        """Block or unblock one sender."""

    @abstractmethod
    def changed(self, answer: HttpAnswer) -> SendError | None:
        """Read whether it did: None where it did. Total."""
