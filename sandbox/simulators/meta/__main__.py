"""Run the simulated Meta: subscribe to the webhook, then talk, and take what is sent.

Secrets come from META_APP_SECRET, META_VERIFY_TOKEN and META_ACCESS_TOKEN. Deliberately endless: it
talks until it is told to stop.
"""

import os
import sys
from collections.abc import Sequence

from sandbox.simulators.meta.api import MetaApi
from sandbox.simulators.meta.carrier import MetaCarrier
from sandbox.simulators.meta.payloads import Business
from sandbox.simulators.meta.scribe import MetaScribe
from sandbox.simulators.meta.subscription import Subscription
from sandbox.simulators.playing import options, play
from sandbox.simulators.server import LOOPBACK
from sandbox.simulators.stage import Vendor


def main(arguments: Sequence[str]) -> int:
    """Play until SIGTERM or Ctrl-C."""
    parser = options("meta", "--phone-number-id", "--business-account-id", "--display-phone-number")
    chosen = parser.parse_args(arguments)
    business = Business(
        phone_number_id=chosen.phone_number_id,
        business_account_id=chosen.business_account_id,
        display_phone_number=chosen.display_phone_number.removeprefix("+"),
    )
    scribe = MetaScribe(business)
    vendor = Vendor(
        scribe=scribe,
        carrier=MetaCarrier(chosen.webhook, app_secret=os.environ["META_APP_SECRET"]),
        api=lambda backstage: MetaApi(
            backstage,
            scribe=scribe,
            business=business,
            access_token=os.environ["META_ACCESS_TOKEN"],
            origin=f"http://{LOOPBACK}:{chosen.port}",
        ),
        prepare=Subscription(chosen.webhook, os.environ["META_VERIFY_TOKEN"]).prove,
    )
    return play(vendor, chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
