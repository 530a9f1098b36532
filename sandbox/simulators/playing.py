"""Run one simulated vendor: talk, fast at first so that chats fill up, then gently, for as long as nobody says stop.

Deliberately the same for all vendors; what they do differently is in their scribe and their carrier. Secrets come
from the environment, never from arguments.
"""

import argparse
import random
import sys
import threading
import time

from runtime.stopping import stop_signal
from sandbox.simulators.conversation import Conversation
from sandbox.simulators.endpoint import until_there
from sandbox.simulators.scribe import Post
from sandbox.simulators.stage import Stage, Vendor

#: Posts of the opening, and the seconds between two of them and between later ones, on average.
OPENING, OPENING_PAUSE, LATER_PAUSE = 45, 0.6, 9.0
#: Posts that may wait for an answer before people fall silent.
BACKLOG = 100


def options(vendor: str, *own: str) -> argparse.ArgumentParser:
    """Return the command line of a simulator: what all have, and a vendor's own required flags."""
    parser = argparse.ArgumentParser(prog=f"python -m sandbox.simulators.{vendor}")
    parser.add_argument("--webhook", required=True, help="where to deliver")
    parser.add_argument("--port", type=int, required=True, help="where to serve the ledger and the vendor's API")
    parser.add_argument("--silent", action="store_true", help="no customers: only what becomes of messages is told")
    parser.add_argument("--seed", type=int, help="tell the same stories in the same way again")
    for flag in own:
        parser.add_argument(flag, required=True)
    return parser


def play(vendor: Vendor, chosen: argparse.Namespace) -> int:
    """Play until SIGTERM or Ctrl-C."""
    stop = stop_signal()
    stage = Stage(vendor, stop=stop, silent=chosen.silent)
    stage.serve(chosen.port)
    prepare = vendor.prepare or (lambda stop: until_there(chosen.webhook, stop))
    if prepare(stop):
        stage.delivery.start()
        say(f"delivering to {chosen.webhook}")
        if chosen.silent:
            stop.wait()
        else:
            _talk(vendor, chosen, stage, stop)
    return 0


def say(line: str) -> None:
    """Tell whoever watches the terminal."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _talk(vendor: Vendor, chosen: argparse.Namespace, stage: Stage, stop: threading.Event) -> None:
    conversation = Conversation(vendor.scribe, seed=chosen.seed)
    posts = 0
    while not stop.is_set():
        if stage.delivery.backlog() < BACKLOG:
            for post in conversation.next_posts(int(time.time())):
                stage.delivery.put(post)
                _hear(stage, post)
                posts += 1
        average = OPENING_PAUSE if posts < OPENING else LATER_PAUSE
        stop.wait(average * random.uniform(0.6, 1.4))


def _hear(stage: Stage, post: Post) -> None:
    """Whoever writes may be written to."""
    for item in post.items:
        if item.kind == "message":
            stage.windows.heard(item.chat)
