"""ChatAPI at the door: whose webhook it is, whether it knows the secret, how to answer.

Vendor documents: the OpenAPI file of chat-api.com (1.0.0) and that of 1msg.io (2.39.0).
The protocol signs nothing and sends no header of its own. What authenticates is a secret in the address we
give the vendor, and the instance that the body names. Deliberately no reading of items:
`providers.chatapi.envelope` does that, long after the 200.
"""

import re
from collections.abc import Hashable, Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import ClassVar, Final
from urllib.parse import unquote, unquote_plus

from providers import wire
from providers.base import JSON, Account, Delivery, FormField, Provider, WebhookRequest
from providers.chatapi.envelope import read_delivery
from providers.chatapi.outbound import ChatApiMedia, ChatApiSender, OneMsgTemplates
from providers.chatapi.outbound.methods import ONE_MSG, VARIANT, spelled_variant, variant_of
from providers.chatapi.source import instance_key, instance_named
from providers.events import AccountKey, Event
from providers.outbound import MediaAccess, Sender, TemplateBook

#: Where the secret may stand: parameters of the query, headers that a proxy or a clone can set.
SECRET_PARAMETERS: Final = frozenset({"token", "secret"})
SECRET_HEADERS: Final = ("x-webhook-token", "x-webhook-secret")
BEARER: Final = "bearer "
#: Parameters of the query that may name the instance.
INSTANCE_PARAMETERS: Final = frozenset({"instanceId", "channelId"})
#: Parameters of a query looked at, at most.
PARAMETERS: Final = 16
#: Distinct instances looked for in one unverified body, at most; a genuine one names one.
HINTS: Final = 16
#: How long a channel of 1msg's may answer freely, as the WhatsApp Business API behind it demands.
ONE_MSG_WINDOW: Final = timedelta(hours=24)
#: With one of these a request is somebody else's, whatever its body.
SIGNATURE_HEADERS: Final = frozenset({"x-hub-signature-256", "x-hub-signature", "x-twilio-signature"})

#: The third segment of …/chatapi/<our account id>/<secret>.
_PATH_SECRET = re.compile(r"/chatapi/[^/?]+/([^/?]+)/?(?:\?|\Z)")
#: These match the key of an object only: inside a text its quotes would be escaped.
_MARK = re.compile(
    rb'"(?:chatId|fromMe|ack|chatUpdate|instanceId|channelId|instanceStatus|accountStatus)"[ \t\r\n]{0,8}:'
)
_STATE = re.compile(rb'"(?:instanceStatus|accountStatus|status|chatUpdate)"[ \t\r\n]{0,8}:')
_ITEMS = re.compile(rb'"(?:messages|ack)"[ \t\r\n]{0,8}:')
_INSTANCE = re.compile(
    rb'"(?:instanceId|channelId)"[ \t\r\n]{0,8}:[ \t\r\n]{0,8}(?:"([0-9A-Za-z_-]{1,64})"|([0-9]{1,20}))'
)


class ChatApi(Provider):
    """chat-api.com and what speaks like it."""

    slug: ClassVar[str] = "chatapi"
    name: ClassVar[str] = "chatapi"
    form: ClassVar[tuple[FormField, ...]] = (
        FormField("instanceId", "--instance-id", required=True, help="Instance, at 1msg the channel: a number"),
        FormField(
            VARIANT,
            "--variant",
            help="Whose service: chat-api (also its clones; the default) or 1msg; else a base URL at 1msg.io tells",
            clean=spelled_variant,
        ),
        FormField("phoneNumber", "--display-phone-number", help="The number itself, with + and country code"),
        FormField("apiKey", "--api-key", secret=True, help="The vendor's token, for sending and for the status"),
        FormField(
            "webhookSecret",
            "--webhook-secret",
            secret=True,
            required=True,
            help="What authenticates webhooks; for ChatAPI you add it to their URL as ?token=…",
        ),
    )
    sender: ClassVar[Sender | None] = ChatApiSender()
    media: ClassVar[MediaAccess | None] = ChatApiMedia()
    templates: ClassVar[TemplateBook | None] = OneMsgTemplates()
    secret_parameter: ClassVar[str | None] = "token"  # noqa: S105  the name of a parameter
    secret_in_path: ClassVar[bool] = True

    def recognises(self, request: WebhookRequest) -> bool:
        """Look for the protocol's keys in a JSON POST, or for a secret beside an empty one."""
        if request.method != "POST" or request.content_type != JSON:
            return False
        if not SIGNATURE_HEADERS.isdisjoint(request.headers):
            return False
        empty = request.body.strip() in {b"", b"{}"}
        return any(True for _ in _offered(request)) if empty else _MARK.search(request.body) is not None

    def account_keys(self, account: Account) -> Iterable[AccountKey]:
        """Name an account by its instance; 1msg says channel for the same."""
        key = instance_key(account.field("instanceId"))
        if key:
            yield key

    def number(self, account: Account) -> Hashable | None:
        """Tell the instance and whose it is: each of the vendor's clones counts its instances anew."""
        key = instance_key(account.field("instanceId"))
        return key and (key, variant_of(account), account.api_base_url)

    def window(self, account: Account) -> timedelta | None:
        """Tell WABA's window for channels of 1msg; a linked phone may always write."""
        return ONE_MSG_WINDOW if variant_of(account) == ONE_MSG else None

    def hinted_keys(self, request: WebhookRequest) -> frozenset[AccountKey]:
        """Find the instances named in the raw bytes and in the query."""
        found = islice(_INSTANCE.finditer(request.body), HINTS)
        names = [(match[1] or match[2]).decode("ascii") for match in found]
        names += [unquote(value) for name, value in _parameters(request.query) if name in INSTANCE_PARAMETERS]
        return frozenset(key for name in names if (key := instance_key(name)))

    def verify(self, request: WebhookRequest, account: Account) -> bool:
        """Check every secret offered against every one of the ring, then whom the body is for."""
        genuine = False
        for offered in _offered(request):
            for secret in account.ring(self.webhook_secret_field):
                # Every pair is tried, so that the time taken does not tell an old secret from a new one.
                genuine |= bool(secret) & secret.matches(offered)
        return genuine and self._is_for(request.body, account)

    def is_timeless(self, request: WebhookRequest) -> bool:
        """Look for a state of the instance or of a chat, and nothing that has an id."""
        return bool(_STATE.search(request.body)) and not _ITEMS.search(request.body)

    def parse(self, delivery: Delivery) -> list[Event]:
        """Translate every item of every array, and what is said of the instance itself."""
        return read_delivery(delivery.body)

    def _is_for(self, body: bytes, account: Account) -> bool:
        """Say whether a body names this account's instance, or none; a broken one names none."""
        try:
            named = instance_named(wire.mapping(wire.load_json(body)))
        except wire.NotJsonError:
            return True
        return named is None or named in set(self.account_keys(account))


def _offered(request: WebhookRequest) -> Iterator[str]:
    """Collect what may be the secret; a plus sign in a URL may be meant as it stands."""
    for name, value in _parameters(request.query):
        if name in SECRET_PARAMETERS:
            yield unquote_plus(value)
            yield unquote(value)
    for header in SECRET_HEADERS:
        if header in request.headers:
            yield request.headers[header]
    authorization = request.headers.get("authorization", "")
    if authorization[: len(BEARER)].lower() == BEARER:
        yield authorization[len(BEARER) :].strip()
    in_path = _PATH_SECRET.search(request.target)
    if in_path:
        yield unquote(in_path[1])


def _parameters(query: str) -> Iterator[tuple[str, str]]:
    for pair in query.split("&", PARAMETERS)[:PARAMETERS]:
        name, _, value = pair.partition("=")
        yield name, value
