"""Run the simulated ChatAPI: customers write, a group rides along, the team answers from its phone.

Secrets come from CHATAPI_WEBHOOK_SECRET (the webhook's address) and CHATAPI_TOKEN (the API). Deliberately endless: it
talks until it is told to stop.
"""

import os
import sys
from collections.abc import Sequence

from sandbox.simulators.chatapi.api import ChatApi
from sandbox.simulators.chatapi.carrier import ChatApiCarrier
from sandbox.simulators.chatapi.payloads import Instance
from sandbox.simulators.chatapi.scribe import ChatApiScribe
from sandbox.simulators.playing import options, play
from sandbox.simulators.server import LOOPBACK
from sandbox.simulators.stage import Vendor


def main(arguments: Sequence[str]) -> int:
    """Play until SIGTERM or Ctrl-C."""
    chosen = options("chatapi", "--instance-id", "--display-phone-number").parse_args(arguments)
    instance = Instance(
        instance_id=chosen.instance_id,
        number=chosen.display_phone_number.removeprefix("+"),
        store=f"http://{LOOPBACK}:{chosen.port}/incoming",
    )
    scribe = ChatApiScribe(instance)
    vendor = Vendor(
        scribe=scribe,
        carrier=ChatApiCarrier(chosen.webhook, secret=os.environ["CHATAPI_WEBHOOK_SECRET"]),
        api=lambda backstage: ChatApi(backstage, scribe=scribe, instance=instance, token=os.environ["CHATAPI_TOKEN"]),
    )
    return play(vendor, chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
