"""Meta's WhatsApp Cloud API at the door: whose webhook it is, who made it, how to answer.

Vendor documents: "Webhooks", "Create a webhook endpoint", "Graph API: Webhooks getting started".
Deliberately no reading of contents: `providers.meta.envelope` does that, long after the 200.
"""

import hmac
import re
from collections.abc import Iterable
from datetime import timedelta
from itertools import islice
from typing import ClassVar, Final
from urllib.parse import parse_qsl

from providers.base import JSON, Account, Acknowledgement, Delivery, FormField, Provider, WebhookRequest
from providers.events import AccountKey, Event
from providers.meta.change import BUSINESS_ACCOUNT, DISPLAY_NUMBER, PHONE_NUMBER, display_key
from providers.meta.envelope import read_delivery
from providers.meta.outbound import MetaBlockList, MetaMedia, MetaSender, MetaTemplateBook
from providers.meta.outbound.graph import version_of
from providers.outbound import BlockList, MediaAccess, Sender, TemplateBook

#: The header that counts. The older `x-hub-signature` (SHA-1) is recognised, never trusted.
SIGNATURE_HEADER: Final = "x-hub-signature-256"
LEGACY_SIGNATURE_HEADER: Final = "x-hub-signature"
#: Distinct names looked for in one unverified body, at most; a delivery holds up to 1,000 updates.
HINTS: Final = 1_000
#: Parameters of a handshake's query, at most; Meta sends three.
HANDSHAKE_PARAMETERS: Final = 16

_SIGNATURE = re.compile(r"sha256=([0-9a-fA-F]{64})")
#: Any word that a browser could not take for markup; Meta sends digits as a rule.
_CHALLENGE = re.compile(r"[0-9A-Za-z._~+/=:-]{1,256}")
_HANDSHAKE = re.compile(r"(?:^|&)hub(?:\.|%2[eE])mode=")
#: Matches the key of an object only: inside a text its quotes would be escaped.
_PHONE_NUMBER_ID = re.compile(rb'"phone_number_id"[ \t\r\n]{0,8}:[ \t\r\n]{0,8}"([0-9]{1,32})"')
_ENTRY_ID = re.compile(rb'"(?:waba_)?id"[ \t\r\n]{0,8}:[ \t\r\n]{0,8}"([0-9]{1,32})"')


class Meta(Provider):
    """WhatsApp Cloud API."""

    slug: ClassVar[str] = "meta"
    name: ClassVar[str] = "meta-whatsapp"
    form: ClassVar[tuple[FormField, ...]] = (
        FormField("phoneNumberId", "--phone-number-id", required=True, help="Phone number ID: the sender in URLs"),
        FormField("businessAccountId", "--business-account-id", help="WhatsApp Business Account ID"),
        FormField("phoneNumber", "--display-phone-number", help="The number itself, with + and country code"),
        FormField("accessToken", "--access-token", secret=True, help="System user token, for sending and media"),
        FormField("webhookSecret", "--webhook-secret", secret=True, required=True, help="App secret: signs webhooks"),
        FormField("webhookVerifyToken", "--verify-token", secret=True, help="Any string; Meta repeats it once"),
        FormField("apiVersion", "--api-version", help="Graph API version, e.g. v26.0", clean=version_of),
    )
    service_window: ClassVar[timedelta | None] = timedelta(hours=24)
    sender: ClassVar[Sender | None] = MetaSender()
    media: ClassVar[MediaAccess | None] = MetaMedia()
    templates: ClassVar[TemplateBook | None] = MetaTemplateBook()
    blocks: ClassVar[BlockList | None] = MetaBlockList()

    def recognises(self, request: WebhookRequest) -> bool:
        """Look for Meta's signature header on a JSON POST, or for a subscription handshake."""
        if request.method == "POST":
            signed = SIGNATURE_HEADER in request.headers or LEGACY_SIGNATURE_HEADER in request.headers
            return signed and request.content_type == JSON
        return request.method == "GET" and _HANDSHAKE.search(request.query) is not None

    def account_keys(self, account: Account) -> Iterable[AccountKey]:
        """Name an account by its number's id, its business account and (within that) its digits."""
        number_id, waba = account.field("phoneNumberId"), account.field("businessAccountId")
        if number_id:
            yield AccountKey(PHONE_NUMBER, number_id)
        if waba:
            yield AccountKey(BUSINESS_ACCOUNT, waba)
            display = display_key(waba, account.field("phoneNumber") or account.field("displayPhoneNumber"))
            if display:
                yield AccountKey(DISPLAY_NUMBER, display)

    def hinted_keys(self, request: WebhookRequest) -> frozenset[AccountKey]:
        """Find the phone number ids in the raw bytes, or else the ids that may be business accounts."""
        hints = _hints(_PHONE_NUMBER_ID, request.body)
        if hints:
            return frozenset(AccountKey(PHONE_NUMBER, hint) for hint in hints)
        return frozenset(AccountKey(BUSINESS_ACCOUNT, hint) for hint in _hints(_ENTRY_ID, request.body))

    def verify(self, request: WebhookRequest, account: Account) -> bool:
        """Check HMAC-SHA256 over the bytes received, against every app secret of the ring."""
        found = _SIGNATURE.fullmatch(request.headers.get(SIGNATURE_HEADER, ""))
        if found is None:
            return False
        given = bytes.fromhex(found[1])
        genuine = False
        for secret in account.ring(self.webhook_secret_field):
            made = hmac.digest(secret.encode(), request.body, "sha256")
            # Every secret is tried, so that the time taken does not tell an old one from a new one.
            genuine |= bool(secret) and hmac.compare_digest(made, given)
        return genuine

    def handshake(self, request: WebhookRequest, accounts: Iterable[Account]) -> Acknowledgement | None:
        """Echo the challenge to whoever knows the verify token of one of the accounts."""
        if request.method != "GET":
            return None
        asked = _handshake_parameters(request.query)
        if asked is None:
            return Acknowledgement(400, b"")
        known = False
        for account in accounts:
            for token in account.ring("webhookVerifyToken"):
                known |= bool(token) and token.matches(asked["hub.verify_token"])
        if not known or asked["hub.mode"] != "subscribe":
            return Acknowledgement(403, b"")
        return Acknowledgement(200, asked["hub.challenge"].encode("ascii"))

    def parse(self, delivery: Delivery) -> list[Event]:
        """Translate every item of every change of every entry."""
        return read_delivery(delivery.body)


def _hints(pattern: re.Pattern[bytes], body: bytes) -> set[str]:
    return {found[1].decode("ascii") for found in islice(pattern.finditer(body), HINTS)}


def _handshake_parameters(query: str) -> dict[str, str] | None:
    """Read a handshake's three parameters; None unless each is given once and the challenge is harmless."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=HANDSHAKE_PARAMETERS)
    except ValueError:
        return None
    asked = [(name, value) for name, value in pairs if name in {"hub.mode", "hub.challenge", "hub.verify_token"}]
    found = dict(asked)
    well_formed = len(asked) == len(found) == 3 and _CHALLENGE.fullmatch(found["hub.challenge"])
    return found if well_formed else None
