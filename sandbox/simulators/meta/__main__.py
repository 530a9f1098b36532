"""Run the simulated Meta: subscribe to the webhook, then talk, fast at first so that chats fill up.

Secrets come from META_APP_SECRET and META_VERIFY_TOKEN, never from arguments. Deliberately endless: it talks
until it is told to stop.
"""

import argparse
import os
import random
import secrets
import signal
import sys
import threading
import time
from collections.abc import Sequence

import requests

from sandbox.simulators.meta.conversation import Conversation
from sandbox.simulators.meta.delivery import PATIENCE, Delivery
from sandbox.simulators.meta.graph import GraphServer
from sandbox.simulators.meta.ledger import Ledger
from sandbox.simulators.meta.payloads import Business

#: Posts of the opening, and the seconds between two of them and between later ones, on average.
OPENING, OPENING_PAUSE, LATER_PAUSE = 45, 0.6, 6.0
#: Posts that may wait for an answer before people fall silent.
BACKLOG = 100
#: Seconds between two attempts to subscribe.
SUBSCRIBE_PAUSE = 0.5


def main(arguments: Sequence[str]) -> int:
    """Play until SIGTERM or Ctrl-C."""
    options = _options(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    ledger = Ledger()
    GraphServer(options.port, ledger).start()
    if not subscribe(options.webhook, os.environ["META_VERIFY_TOKEN"], stop):
        return 0
    delivery = Delivery(options.webhook, app_secret=os.environ["META_APP_SECRET"], ledger=ledger, stop=stop)
    delivery.start()
    _say(f"delivering to {options.webhook}")
    _talk(Conversation(_business(options), seed=options.seed), delivery, stop)
    return 0


def subscribe(url: str, verify_token: str, stop: threading.Event) -> bool:
    """Ask the endpoint to prove itself until it does; False when told to stop first."""
    challenge = str(secrets.randbelow(10**10))
    query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
    complaint = ""
    while not stop.is_set():
        said = _handshake(url, query)
        if said == f"200 {challenge}":
            return True
        if said != complaint and not said.startswith("503"):
            complaint = said
            _say(f"the endpoint does not subscribe: {said[:80]}")
        stop.wait(SUBSCRIBE_PAUSE)
    return False


def _handshake(url: str, query: dict[str, str]) -> str:
    try:
        answer = requests.get(url, params=query, timeout=PATIENCE, allow_redirects=False)
    except requests.RequestException as error:
        return f"503 {type(error).__name__}"
    return f"{answer.status_code} {answer.text}"


def _talk(conversation: Conversation, delivery: Delivery, stop: threading.Event) -> None:
    posts = 0
    while not stop.is_set():
        if delivery.backlog() < BACKLOG:
            for post in conversation.next_posts(int(time.time())):
                delivery.put(post)
                posts += 1
        average = OPENING_PAUSE if posts < OPENING else LATER_PAUSE
        stop.wait(average * random.uniform(0.6, 1.4))


def _business(options: argparse.Namespace) -> Business:
    return Business(
        phone_number_id=options.phone_number_id,
        business_account_id=options.business_account_id,
        display_phone_number=options.display_phone_number,
    )


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.simulators.meta", description=__doc__)
    parser.add_argument("--webhook", required=True, help="where to deliver")
    parser.add_argument("--port", type=int, required=True, help="where to serve the ledger and the Graph API")
    parser.add_argument("--phone-number-id", required=True)
    parser.add_argument("--business-account-id", required=True)
    parser.add_argument("--display-phone-number", required=True)
    parser.add_argument("--seed", type=int, help="tell the same stories in the same way again")
    return parser.parse_args(arguments)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
