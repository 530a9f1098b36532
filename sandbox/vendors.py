"""The demo's three accounts, one with each vendor: what both `configs add` and the vendor's simulator are told.

Deliberately data only: `demo` makes the accounts, `layout` the simulators' processes. Every number lies in a
range set aside for fiction; every secret is drawn for this data directory.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.datadir import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """One secret of an account: its flag, which of the kept keys it is, and the variable its vendor knows it by."""

    flag: str
    key: str
    variable: str

    def of(self, keys: Keys) -> str:
        """Return its value."""
        return str(getattr(keys, self.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One vendor of the demo."""

    #: As in URLs, and the name of the simulator's module.
    slug: str
    #: As `configs add --provider` knows it.
    provider: str
    #: The field of an account by which the demo's own is found again, and its value there.
    mark: tuple[str, str]
    #: Flags that account and simulator share, and their values.
    flags: Mapping[str, str]
    secrets: tuple[Secret, ...]


META = Vendor(
    slug="meta",
    provider="meta-whatsapp",
    mark=("phoneNumberId", "331700900150001"),
    flags={
        "--phone-number-id": "331700900150001",
        "--business-account-id": "209700900150001",
        "--display-phone-number": "+14155550100",
    },
    secrets=(
        Secret(flag="--access-token", key="demo_access_token", variable="META_ACCESS_TOKEN"),
        Secret(flag="--webhook-secret", key="demo_app_secret", variable="META_APP_SECRET"),
        Secret(flag="--verify-token", key="demo_verify_token", variable="META_VERIFY_TOKEN"),
    ),
)
TWILIO = Vendor(
    slug="twilio",
    provider="twilio",
    mark=("accountSid", "AC00700900150001007009001500010070"),
    flags={"--account-sid": "AC00700900150001007009001500010070", "--from": "+14155550101"},
    secrets=(Secret(flag="--auth-token", key="demo_twilio_auth_token", variable="TWILIO_AUTH_TOKEN"),),
)
CHATAPI = Vendor(
    slug="chatapi",
    provider="chatapi",
    mark=("instanceId", "318842"),
    flags={"--instance-id": "318842", "--display-phone-number": "+447700900100"},
    secrets=(
        Secret(flag="--api-key", key="demo_chatapi_token", variable="CHATAPI_TOKEN"),
        Secret(flag="--webhook-secret", key="demo_chatapi_webhook_secret", variable="CHATAPI_WEBHOOK_SECRET"),
    ),
)
VENDORS = (META, TWILIO, CHATAPI)
