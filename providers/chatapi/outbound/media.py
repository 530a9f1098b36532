"""Files that customers sent, at ChatAPI: public addresses at a store of the vendor's, named in the webhook itself.

What is sent is handed over as a link that the vendor fetches. Deliberately no token goes along: the store needs none,
and the address came in an unsigned webhook.
"""

from datetime import timedelta
from typing import ClassVar

from providers.base import Account
from providers.outbound import MediaAccess
from runtime.calls import HttpRequest


class ChatApiMedia(MediaAccess):
    """Fetches files; hands them over as links only."""

    #: The store's host is documented nowhere, and every clone has its own.
    hosts: ClassVar[frozenset[str]] = frozenset()
    kept: ClassVar[timedelta] = timedelta(days=30)

    def download(self, account: Account, *, url: str, trusted: bool) -> HttpRequest:
        """Ask for the file as anybody would."""
        return HttpRequest(method="GET", url=url)
