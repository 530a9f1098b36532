"""An account's book of templates at its vendor: the dialect, the address, and the calls.

Deliberately no judging of answers (the dialect does) and no rows.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from providers.base import Account, Provider
from providers.outbound import TemplateBook
from runtime.calls import HttpAnswer, HttpRequest
from runtime.outgoing import Outgoing

#: How long one call may take; lists are long and made to be waited for.
DEADLINE: Final = timedelta(seconds=20)
#: Bytes of a page of templates, at most.
MAX_BYTES: Final = 16 * 1024 * 1024


class Vendors:
    """The vendors, as far as templates go."""

    def __init__(
        self, outgoing: Outgoing, providers: Mapping[str, Provider], base_url: Callable[[Account], str]
    ) -> None:
        self._outgoing = outgoing
        self._providers = providers
        #: Where an account's vendor is called.
        self.base_url = base_url

    def book(self, account: Account) -> TemplateBook | None:
        """Return the account's book, None where its vendor has none."""
        provider = self._providers.get(account.provider)
        return provider.templates.for_account(account) if provider and provider.templates else None

    def ask(self, request: HttpRequest) -> HttpAnswer:
        """Make a call.

        Raises:
            NotSent: nothing was acted upon.
            Unanswered: nobody knows whether it was acted upon.
        """
        return self._outgoing.call(request, deadline=DEADLINE, max_bytes=MAX_BYTES)
