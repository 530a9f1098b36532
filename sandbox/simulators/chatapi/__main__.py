"""Run the simulated ChatAPI: customers write, a group rides along, the team answers from its phone.

The secret of the webhook's address comes from CHATAPI_WEBHOOK_SECRET. Deliberately endless: it talks until it is
told to stop.
"""

import os
import sys
from collections.abc import Sequence

from sandbox.simulators.chatapi.carrier import ChatApiCarrier
from sandbox.simulators.chatapi.payloads import Instance
from sandbox.simulators.chatapi.scribe import ChatApiScribe
from sandbox.simulators.playing import Vendor, options, play
from sandbox.simulators.server import NOT_PLAYED

#: An error as the vendor words it: a sentence, and nothing else.
REFUSAL = {"error": NOT_PLAYED}


def main(arguments: Sequence[str]) -> int:
    """Play until SIGTERM or Ctrl-C."""
    chosen = options("chatapi", "--instance-id", "--display-phone-number").parse_args(arguments)
    number = chosen.display_phone_number.removeprefix("+")
    vendor = Vendor(
        scribe=ChatApiScribe(Instance(instance_id=chosen.instance_id, number=number)),
        carrier=ChatApiCarrier(chosen.webhook, secret=os.environ["CHATAPI_WEBHOOK_SECRET"]),
        refusal=REFUSAL,
    )
    return play(vendor, chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
