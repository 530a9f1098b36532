"""Run the simulated Twilio: customers write, and what the team sent elsewhere makes its way.

The secret comes from TWILIO_AUTH_TOKEN. Deliberately endless: it talks until it is told to stop.
"""

import os
import sys
from collections.abc import Sequence

from sandbox.simulators.playing import options, play
from sandbox.simulators.server import LOOPBACK
from sandbox.simulators.stage import Vendor
from sandbox.simulators.twilio.api import TwilioApi
from sandbox.simulators.twilio.carrier import TwilioCarrier
from sandbox.simulators.twilio.payloads import Sender
from sandbox.simulators.twilio.scribe import TwilioScribe


def main(arguments: Sequence[str]) -> int:
    """Play until SIGTERM or Ctrl-C."""
    parser = options("twilio", "--account-sid", "--from")
    parser.add_argument("--configured", help="the webhook's address as Twilio knows it, with overrides (#rc=…)")
    chosen = parser.parse_args(arguments)
    sender = Sender(
        account_sid=chosen.account_sid,
        number=getattr(chosen, "from"),
        media_host=f"http://{LOOPBACK}:{chosen.port}",
    )
    scribe, auth_token = TwilioScribe(sender), os.environ["TWILIO_AUTH_TOKEN"]
    vendor = Vendor(
        scribe=scribe,
        carrier=TwilioCarrier(chosen.webhook, configured=chosen.configured or chosen.webhook, auth_token=auth_token),
        api=lambda backstage: TwilioApi(backstage, scribe=scribe, sender=sender, auth_token=auth_token),
    )
    return play(vendor, chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
