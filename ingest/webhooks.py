"""The receiver: from one HTTP request to one durable row, or to a clear refusal.

The steps are those of DESIGN §3: bound, recognise, find the account, verify, commit, answer. Deliberately no
Flask and no parsing: what the bytes mean is the workers' business, long after the vendor has its 200.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from ingest.committer import Committer
from models.store.intake import IntakeRow, Stored, intake_row
from providers.base import Account, Acknowledgement, Provider, WebhookRequest
from providers.directory import AccountDirectory
from runtime.errors import HooklineError, NotFound, SignatureError, Unavailable, Unparseable, WrongType
from runtime.metrics import WEBHOOKS

#: Every webhook path begins so.
BASE_PATH: Final = "/api/whatsapp/webhooks"
_UNCODED: Final = frozenset({"", "identity"})


class Receiver:
    """Receives webhooks for all vendors."""

    def __init__(
        self,
        *,
        providers: Mapping[str, Provider],
        directory: AccountDirectory,
        committer: Committer,
        now: Callable[[], datetime],
    ) -> None:
        self._providers = providers
        self._directory = directory
        self._committer = committer
        self._now = now

    def receive(self, request: WebhookRequest, *, path: str) -> Acknowledgement:
        """Make a delivery durable and return the vendor's acknowledgement.

        Raises:
            NotFound, Unparseable, WrongType, SignatureError: refused, nothing is stored.
            Unavailable: not durable now; the vendor should try again.
        """
        provider, account_id = self._route(request, path)
        try:
            stored = self._committer.submit(self._row(provider, request, account_id))
        except HooklineError as error:
            WEBHOOKS.labels(provider.name, type(error).__name__.lower()).inc()
            raise
        WEBHOOKS.labels(provider.name, "duplicate" if stored is Stored.DUPLICATE else "stored").inc()
        return provider.acknowledge()

    def receive_get(self, request: WebhookRequest, *, path: str) -> Acknowledgement:
        """Answer a GET: a vendor's subscription handshake or, where it delivers so, a webhook.

        Raises:
            NotFound: no such vendor, or the vendor has no handshake.
            SignatureError: a webhook that nobody signed.
            Unavailable: the accounts are not known yet, or a webhook is not durable now.
        """
        provider, account_id = self._route(request, path)
        if provider.by_get:
            return self.receive(request.with_query_as_form(), path=path)
        return self._handshake(request, provider, account_id)

    def _handshake(self, request: WebhookRequest, provider: Provider, account_id: str | None) -> Acknowledgement:
        answer = provider.handshake(request, self._accounts(provider, account_id))
        if answer is not None and answer.status == 403:
            self._look_again()
            answer = provider.handshake(request, self._accounts(provider, account_id))
        if answer is None:
            raise NotFound("this vendor has no handshake")
        WEBHOOKS.labels(provider.name, f"handshake_{answer.status}").inc()
        return answer

    def _route(self, request: WebhookRequest, path: str) -> tuple[Provider, str | None]:
        """Find the vendor by the path, or on the bare path by its looks; and the account the path names."""
        parts = [part for part in path.removeprefix(BASE_PATH).split("/") if part]
        if parts:
            provider = self._providers.get(parts[0])
            if provider is None:
                raise NotFound("no such vendor")
            if len(parts) > 2 + provider.secret_in_path:
                raise NotFound("no such webhook address")
            return provider, parts[1] if len(parts) > 1 else None
        for provider in self._providers.values():
            if provider.recognises(request):
                return provider, None
        raise Unparseable("no vendor recognises this request; use /api/whatsapp/webhooks/<vendor>")

    def _row(self, provider: Provider, request: WebhookRequest, account_id: str | None) -> IntakeRow:
        _check_type(provider, request)
        account = self._authenticate(provider, request, account_id)
        try:
            return intake_row(
                provider=provider.name,
                config_id=account.id,
                body=request.body,
                content_type=request.content_type,
                query=provider.kept_query(request),
                headers={name: request.headers[name] for name in provider.kept_headers if name in request.headers},
                received_at=self._now(),
                timeless=provider.is_timeless(request),
            )
        except ValueError as error:
            raise Unparseable("a header cannot be stored") from error

    def _authenticate(self, provider: Provider, request: WebhookRequest, account_id: str | None) -> Account:
        """Verify against the accounts it may be for; once more with fresh ones, they may have just changed."""
        keys = frozenset() if account_id else provider.hinted_keys(request)
        candidates = self._directory.candidates(provider, account_id=account_id, keys=keys)
        try:
            return provider.authenticate(request, candidates)
        except SignatureError:
            self._look_again()
            candidates = self._directory.candidates(provider, account_id=account_id, keys=keys)
            return provider.authenticate(request, candidates)

    def _look_again(self) -> None:
        """Read the accounts anew, for they may have just changed.

        Raises:
            Unavailable: they could not be read since this process started, so nobody can be told from a stranger.
        """
        self._directory.refresh()
        if not self._directory.has_loaded:
            raise Unavailable("the accounts are not known yet")

    def _accounts(self, provider: Provider, account_id: str | None) -> tuple[Account, ...]:
        return self._directory.candidates(provider, account_id=account_id, keys=())


def _check_type(provider: Provider, request: WebhookRequest) -> None:
    if request.headers.get("content-encoding", "").lower() not in _UNCODED:
        raise WrongType("a content encoding is not accepted; send the body as it is")
    if request.content_type not in provider.content_types:
        raise WrongType(f"expected {' or '.join(sorted(provider.content_types))}")
