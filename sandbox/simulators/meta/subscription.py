"""Meta's handshake: before anything is delivered, the endpoint proves that it knows the verify token.

Deliberately patient: the endpoint may still be starting.
"""

import secrets
import threading

import requests

from sandbox.simulators.delivery import PATIENCE
from sandbox.simulators.playing import say

#: Seconds between two attempts to subscribe.
SUBSCRIBE_PAUSE = 0.5


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
            say(f"the endpoint does not subscribe: {said[:80]}")
        stop.wait(SUBSCRIBE_PAUSE)
    return False


def _handshake(url: str, query: dict[str, str]) -> str:
    try:
        answer = requests.get(url, params=query, timeout=PATIENCE, allow_redirects=False)
    except requests.RequestException as error:
        return f"503 {type(error).__name__}"
    return f"{answer.status_code} {answer.text}"
