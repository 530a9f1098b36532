"""What every dialect offers: recognise, verify, acknowledge, parse.

Deliberately no I/O: a provider describes and judges; the doors receive and the services act.
The class attributes are the whole integration: URL, account form, sealing, redaction and the metrics
label follow from them (see docs/adding-a-provider.md).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from providers.events import AccountKey, Event
from runtime.crypto import Secret
from runtime.errors import SignatureError

if TYPE_CHECKING:
    from providers.outbound import BlockList, MediaAccess, Sender, TemplateBook

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One HTTP request as received: raw bytes, raw target, lower-case header names.

    `target` is the request target as sent (path and query, still percent-encoded); `public_url` what the
    vendor believes it called (scheme and host of PUBLIC_URL, no trailing slash).
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    public_url: str = ""

    @property
    def query(self) -> str:
        """The raw query string, without the question mark."""
        return self.target.partition("?")[2]

    @property
    def content_type(self) -> str:
        """The media type alone, lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def with_query_as_form(self) -> "WebhookRequest":
        """Read a webhook that came by GET: its query is what the form of a POST would be, and is stored as one."""
        headers = {**self.headers, "content-type": FORM}
        return replace(self, headers=headers, body=self.query.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Delivery:
    """A stored webhook, as `parse` sees it: nothing but what was received and kept."""

    body: bytes
    content_type: str = JSON
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Account:
    """One live WhatsAppConfig opened for use: plain fields, and secrets as rings (newest first)."""

    id: str
    provider: str
    fields: Mapping[str, str]
    secrets: Mapping[str, tuple[Secret, ...]]
    #: Replaces the vendor's host, for this account.
    api_base_url: str | None = None

    def field(self, name: str) -> str | None:
        """A plain field by its document name (camelCase), None where unset."""
        return self.fields.get(name)

    def ring(self, name: str) -> tuple[Secret, ...]:
        """All valid values of a secret field, newest first; empty where unset."""
        return self.secrets.get(name, ())

    def secret(self, name: str) -> Secret | None:
        """The newest value of a secret field."""
        ring = self.ring(name)
        return ring[0] if ring else None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The HTTP answer a vendor expects."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a provider's account form: document name, command-line flag, and what it is."""

    name: str
    flag: str
    secret: bool = False
    required: bool = False
    help: str = ""
    #: Brings a value into the form in which it is stored; None for what is no such value.
    clean: Callable[[str], str | None] | None = None


class Provider(ABC):
    """A vendor's dialect. Subclass, fill the attributes, end the module with `PROVIDER = YourClass()`."""

    #: The URL segment: /api/whatsapp/webhooks/<slug>.
    slug: ClassVar[str]
    #: The stored name, also the metrics label.
    name: ClassVar[str]
    #: The account form, from which flags, sealing and redaction follow.
    form: ClassVar[tuple[FormField, ...]]
    #: The secret field that authenticates webhooks.
    webhook_secret_field: ClassVar[str] = "webhookSecret"  # noqa: S105  the name of a field
    #: The parameter of the webhook URL's query in which the vendor is to send that secret; None where it signs.
    secret_parameter: ClassVar[str | None] = None
    #: Whether a third segment of the path may hold that secret: …/<slug>/<account id>/<secret>.
    secret_in_path: ClassVar[bool] = False
    #: Media types a webhook may have; others are answered 415.
    content_types: ClassVar[frozenset[str]] = frozenset({JSON})
    #: Whether an account may be set up to deliver by GET, with the parameters in the query; it then has no handshake.
    by_get: ClassVar[bool] = False
    #: How long after a customer's message an agent may write freely; None where the vendor has no such window.
    service_window: ClassVar[timedelta | None] = None
    #: The ways out; None where we do not speak them.
    sender: ClassVar["Sender | None"] = None
    media: ClassVar["MediaAccess | None"] = None
    templates: ClassVar["TemplateBook | None"] = None
    blocks: ClassVar["BlockList | None"] = None
    #: Header names (lower case) kept with the stored event; never one that holds a secret or a signature.
    kept_headers: ClassVar[tuple[str, ...]] = ("content-type", "user-agent")

    @abstractmethod
    def recognises(self, request: WebhookRequest) -> bool:
        """Say whether a request on the bare webhook path looks like this vendor's; cheap, total, no word on trust."""

    @abstractmethod
    def account_keys(self, account: Account) -> Iterable[AccountKey]:
        """Name an account as this vendor's webhooks do, for routing and cross-checks."""

    def number(self, account: Account) -> Hashable | None:
        """Say whose number an account is, in a form that is equal for two accounts of one number.

        By default the first of its names; a dialect whose first is shared by several numbers says it otherwise.
        """
        return next(iter(self.account_keys(account)), None)

    def window(self, account: Account) -> timedelta | None:
        """Say how long after a customer's message an account may write freely; variants of a vendor may differ."""
        return self.service_window

    @abstractmethod
    def hinted_keys(self, request: WebhookRequest) -> frozenset[AccountKey]:
        """Guess which accounts an unverified request is for, without parsing it. Total; may be empty."""

    @abstractmethod
    def verify(self, request: WebhookRequest, account: Account) -> bool:
        """Say whether the request was made with one of the account's secrets. Total, in constant time."""

    @abstractmethod
    def parse(self, delivery: Delivery) -> list[Event]:
        """Translate a stored delivery. Pure and total: any bytes in, a list of events out, never an exception."""

    def acknowledge(self) -> Acknowledgement:
        """Answer a stored delivery."""
        return Acknowledgement(200, b"EVENT_RECEIVED")

    def handshake(self, request: WebhookRequest, accounts: Iterable[Account]) -> Acknowledgement | None:
        """Answer a subscription handshake (GET), None where the vendor has none."""
        return None

    def is_timeless(self, request: WebhookRequest) -> bool:
        """Say whether a webhook tells a state without time or id, so that the same bytes may be news another day."""
        return False

    def kept_query(self, request: WebhookRequest) -> str:
        """The part of the query that `parse` needs and that holds no secret."""
        return ""

    def check(self, account: Account) -> str | None:
        """Say what an account lacks to receive webhooks safely, None where nothing."""
        missing = [f.flag for f in self.form if f.required and not self._has(account, f)]
        return f"missing {', '.join(missing)}" if missing else None

    def authenticate(self, request: WebhookRequest, candidates: Iterable[Account]) -> Account:
        """Return the first account whose secret made this request.

        Raises:
            SignatureError: none did; nothing of the request may be stored or echoed.
        """
        for account in candidates:
            if self.verify(request, account):
                return account
        raise SignatureError

    @staticmethod
    def _has(account: Account, form_field: FormField) -> bool:
        return bool(account.ring(form_field.name) if form_field.secret else account.field(form_field.name))
