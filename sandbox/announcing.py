"""Tell the person at the terminal when everything answers, and where; or that it does not.

Deliberately the only place that asks: processes do not know of one another.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import requests

from providers import registry

#: Time all processes together get until each says that it is ready.
PATIENCE = timedelta(seconds=90)
#: Seconds between two questions, and the most one answer may take.
POLL, ANSWER = 0.2, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What the person wants to know."""

    #: Where this machine finds it, and what vendors call.
    url: str
    public_url: str
    token: str
    data: str
    demo: bool

    def text(self) -> str:
        """Return the greeting as shown."""
        filling = (
            "Demo traffic of all vendors is coming in; look at the chats it makes:"
            if self.demo
            else "Look at the chats:"
        )
        return (
            "\nHookline is up.\n\n"
            f"  API and docs   {self.url}/docs\n"
            f"  Webhooks       {self.public_url}/api/whatsapp/webhooks/<{'|'.join(registry.by_slugs())}>\n"
            f"  Login token    {self.token}\n"
            f"  Data           {self.data}\n\n"
            f"{filling}\n\n"
            f"  {self._curl} {self._chats}\n\n"
            f"{self._answering() if self.demo else ''}"
            "Ctrl-C stops everything.\n"
        )

    @property
    def _curl(self) -> str:
        return f'curl -H "Authorization: Bearer {self.token}"'

    @property
    def _chats(self) -> str:
        return f"{self.url}/api/whatsapp/chats"

    def _answering(self) -> str:
        """Say how to write to a customer of the demo, and how to see what becomes of it."""
        words = """-H "Content-Type: application/json" -d '{"type": "text", "text": "On my way!"}'"""
        return (
            "Answer somebody; the simulated vendor takes it, and tells when it was sent, delivered and read:\n\n"
            f'  CHAT=$({self._curl} -s "{self._chats}?limit=1" | grep -o "chat_[0-9A-Za-z]*" | head -1)\n'
            f"  {self._curl} {words} {self._chats}/$CHAT/messages\n"
            f'  {self._curl} "{self._chats}/$CHAT/messages?limit=1"\n\n'
        )


class Announcer(threading.Thread):
    """Waits in the background until all are ready, then calls `ready`, or `late` with the missing."""

    def __init__(
        self,
        ready_urls: Mapping[str, str],
        *,
        ready: Callable[[], object],
        late: Callable[[list[str]], object],
        patience: timedelta = PATIENCE,
    ) -> None:
        super().__init__(name="announcer", daemon=True)
        self._urls = dict(ready_urls)
        self._ready = ready
        self._late = late
        self._patience = patience
        self._over = threading.Event()

    def run(self) -> None:
        """Ask each in turn until all have answered."""
        deadline = time.monotonic() + self._patience.total_seconds()
        waiting = dict(self._urls)
        while time.monotonic() < deadline:
            waiting = {name: url for name, url in waiting.items() if not _is_ready(url)}
            if not waiting:
                self._ready()
                return
            if self._over.wait(POLL):
                return
        self._late(sorted(waiting))

    def cancel(self) -> None:
        """Say nothing any more: the run is over."""
        self._over.set()


def _is_ready(url: str) -> bool:
    try:
        return requests.get(url, timeout=ANSWER).ok
    except requests.RequestException:
        return False
