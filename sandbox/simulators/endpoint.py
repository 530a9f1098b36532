"""Asking the endpoint before anything is delivered to it: nobody gives a vendor an address that does not work yet.

Deliberately patient: the endpoint may still be starting.
"""

import threading
from collections.abc import Callable, Mapping

import requests

#: Seconds between two questions, and those an answer may take.
PAUSE, PATIENCE = 0.5, 10.0
#: What stands for nobody being there; a front door says the same of those behind it.
AWAY = 503


def ask(url: str, query: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Return status and words of the answer to a GET."""
    try:
        answer = requests.get(url, params=query, timeout=PATIENCE, allow_redirects=False)
    except requests.RequestException as error:
        return AWAY, type(error).__name__
    return answer.status_code, answer.text


def until_there(url: str, stop: threading.Event) -> bool:
    """Wait until somebody answers, whatever it is; False when told to stop first."""
    return patiently(lambda: ask(url)[0] != AWAY, stop)


def patiently(is_so: Callable[[], bool], stop: threading.Event) -> bool:
    """Ask until it is so; False when told to stop first."""
    while not stop.is_set():
        if is_so():
            return True
        stop.wait(PAUSE)
    return False
