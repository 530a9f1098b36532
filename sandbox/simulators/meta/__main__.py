"""Run the simulated Meta: subscribe to the webhook, then talk.

Secrets come from META_APP_SECRET and META_VERIFY_TOKEN. Deliberately endless: it talks until it is told to stop.
"""

import os
import sys
from collections.abc import Sequence

from sandbox.simulators.meta.carrier import MetaCarrier
from sandbox.simulators.meta.payloads import Business
from sandbox.simulators.meta.scribe import MetaScribe
from sandbox.simulators.meta.subscription import Subscription
from sandbox.simulators.playing import Vendor, options, play
from sandbox.simulators.server import NOT_PLAYED

#: A Graph API error.
REFUSAL = {"error": {"message": f"(#3) {NOT_PLAYED}", "type": "OAuthException", "code": 3}}


def main(arguments: Sequence[str]) -> int:
    """Play until SIGTERM or Ctrl-C."""
    parser = options("meta", "--phone-number-id", "--business-account-id", "--display-phone-number")
    chosen = parser.parse_args(arguments)
    business = Business(
        phone_number_id=chosen.phone_number_id,
        business_account_id=chosen.business_account_id,
        display_phone_number=chosen.display_phone_number.removeprefix("+"),
    )
    vendor = Vendor(
        scribe=MetaScribe(business),
        carrier=MetaCarrier(chosen.webhook, app_secret=os.environ["META_APP_SECRET"]),
        refusal=REFUSAL,
        prepare=Subscription(chosen.webhook, os.environ["META_VERIFY_TOKEN"]).prove,
    )
    return play(vendor, chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
