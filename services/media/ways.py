"""The way to an account's files: where they are, who may be asked with which credentials, and one try to fetch one.

Deliberately no rows and no storage: a try ends with a file in a temporary place, or with its trouble.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from models.message import Media
from providers.base import Account, Provider
from providers.outbound import ErrorKind, MediaAccess, MediaSource, SendError
from runtime.calls import CallError, HttpRequest
from runtime.fetching import Fetched, Fetching, Limits, Unfetchable, is_among, origin_of
from runtime.outgoing import Outgoing
from services.media.storage import MAX_BYTES, Arrived
from services.media.troubles import Trouble

#: How long asking where a file is may take, and fetching it.
LOOK_UP: Final = timedelta(seconds=20)
FETCH: Final = timedelta(seconds=150)
#: What a status says of a file, besides 200; of others: from 500 on the vendor failed, else it is unexpected.
STATUSES: Final[Mapping[int, str]] = {
    401: "refused",
    403: "refused",
    404: "not_found",
    408: "vendor_failed",
    410: "not_found",
    425: "vendor_failed",
    429: "vendor_failed",
}
#: What the kind of a look-up's error says.
KINDS: Final[Mapping[ErrorKind, str]] = {ErrorKind.FINAL: "gone", ErrorKind.OURS: "account_refused"}


@dataclass(frozen=True, slots=True)
class Way:
    """How one account's files are fetched."""

    account: Account
    access: MediaAccess
    base_url: str
    #: Where the operator says the vendor is: that address may be a private one.
    configured: str | None
    outgoing: Outgoing
    fetching: Fetching
    deadline: timedelta

    def fetch(self, media: Media, path: Path) -> Arrived | Trouble:
        """Try once to get a file, at the address that it has now."""
        source = self._source(media)
        if isinstance(source, Trouble):
            return source
        try:
            with path.open("wb") as into:
                fetched = self.fetching.fetch(source.url, self._opening, into=into, limits=self._limits())
        except CallError as error:
            return Trouble(error.reason)
        trouble = _judged(fetched, source)
        if trouble is not None:
            return Trouble(trouble)
        return Arrived(
            path=path,
            size=fetched.size,
            sha256=fetched.sha256,
            declared=source.mime_type or fetched.headers.get("content-type"),
            file_name=media.file_name,
        )

    def _source(self, media: Media) -> MediaSource | Trouble:
        """Ask for the file's present address, together with what the webhook said of it."""
        request = self.access.look_up(self.account, base_url=self.base_url, media=media)
        if request is None:
            if media.source_url is None:
                return Trouble("no_address")
            return MediaSource(url=media.source_url, mime_type=media.mime_type, sha256=media.sha256)
        try:
            found = self.access.found(self.outgoing.call(request, deadline=LOOK_UP))
        except CallError as error:
            return Trouble(error.reason)
        if isinstance(found, SendError):
            return Trouble(KINDS.get(found.kind, "look_up_failed"), found.retry_after)
        return MediaSource(
            url=found.url,
            mime_type=found.mime_type or media.mime_type,
            sha256=found.sha256 or media.sha256,
            size=found.size,
        )

    def _opening(self, address: str) -> HttpRequest:
        return self.access.download(self.account, url=address, trusted=self._is_trusted(address))

    def _is_trusted(self, address: str) -> bool:
        origin = origin_of(address)
        if origin == self._base():
            return True
        return origin[0] == "https" and is_among(origin[1], self.access.trusted_hosts)

    def _limits(self) -> Limits:
        base = self._base()
        own = {base[1]} if base else set()
        return Limits(
            hosts=self.access.hosts | own if self.access.hosts else frozenset(),
            configured=frozenset({base}) if base and self.configured else frozenset(),
            redirects=self.access.redirects,
            max_bytes=MAX_BYTES,
            deadline=self.deadline,
        )

    def _base(self) -> tuple[str, str, int] | None:
        try:
            return origin_of(self.base_url)
        except Unfetchable:
            return None


class Ways:
    """Finds the way to an account's files."""

    def __init__(
        self,
        *,
        outgoing: Outgoing,
        fetching: Fetching,
        providers: Mapping[str, Provider],
        account: Callable[[str], Account | None],
        base_url: Callable[[Account], str],
        configured: Callable[[Account], str | None],
        deadline: timedelta = FETCH,
    ) -> None:
        self._outgoing = outgoing
        self._fetching = fetching
        self._providers = providers
        self._account = account
        self._base_url = base_url
        self._configured = configured
        #: How long fetching one file may take.
        self.deadline = deadline

    def to(self, config_id: str) -> Way | Trouble:
        """Find the way to the files of an account."""
        account = self._account(config_id)
        if account is None:
            return Trouble("unknown_account")
        provider = self._providers.get(account.provider)
        if provider is None or provider.media is None:
            return Trouble("not_supported")
        return Way(
            account,
            provider.media,
            self._base_url(account),
            self._configured(account),
            self._outgoing,
            self._fetching,
            deadline=self.deadline,
        )


def _judged(fetched: Fetched, source: MediaSource) -> str | None:
    """Say what is wrong with an answer, None where it is the file that the vendor described."""
    if fetched.status != 200:
        unknown = "vendor_failed" if fetched.status >= 500 else "unexpected_status"
        return STATUSES.get(fetched.status, unknown)
    if not fetched.size:
        return "empty"
    if source.sha256 and fetched.sha256 != source.sha256.lower():
        return "wrong_sha256"
    return "wrong_size" if source.size and fetched.size != source.size else None
