"""Handing a file to a vendor so that it can be sent: an upload whose id is used again, or a link that it can follow.

Deliberately no sending. An upload may happen twice and does no harm, so whatever its fate it may be tried again.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import BinaryIO, Final, cast

from models.caller import Caller
from models.media_file import MediaFile, VendorUpload
from models.message import Media, Message, MessageError
from models.store.media_files import MediaFiles
from models.values import MediaState
from providers.base import Account, Provider
from providers.outbound import ErrorKind, MediaAccess, SendableMedia, SendError
from runtime.calls import CallError, HttpAnswer, HttpRequest
from runtime.clock import Clock
from runtime.errors import Invalid, NotFound
from runtime.metrics import LENDINGS
from runtime.outgoing import Outgoing
from services.media.fetching import here
from services.media.links import Links
from services.media.storage import Storage

#: How long an upload may take; a send waits for it, and its claim must outlast it.
UPLOAD: Final = timedelta(seconds=60)
#: An upload's id is not used in its last hours: the vendor's clock may be another, and messages wait.
MARGIN: Final = timedelta(hours=12)
#: How our own files' ids begin.
OURS: Final = "med_"
_WEB: Final = ("https://", "http://")
#: Outcomes of attempts after which only a person asks for another.
_ENDED: Final = frozenset({"accepted", "failed", "unknown"})


class Lending:
    """Hands files to vendors."""

    def __init__(
        self,
        rows: MediaFiles,
        storage: Storage,
        links: Links,
        clock: Clock,
        *,
        outgoing: Outgoing,
        providers: Mapping[str, Provider],
        base_url: Callable[[Account], str],
    ) -> None:
        self._rows = rows
        self._storage = storage
        self._links = links
        self._clock = clock
        self._outgoing = outgoing
        self._providers = providers
        self._base_url = base_url

    def described(self, media: Media, by: Caller | None = None) -> Media:
        """Complete what is said of a file that is ours: type, size, name, where it is seen. Nothing is to be fetched.

        Raises:
            Invalid: there is no such file, or none that this caller may see.
        """
        if not is_ours(media):
            return replace(media, state=MediaState.READY)
        try:
            file = self._rows.get(media.media_id or "", seen_by=by)
        except NotFound as error:
            raise Invalid(str(error), fields={"media.mediaId": ["There is no such file."]}) from None
        return replace(here(media, file), file_name=media.file_name or file.file_name)

    def for_sending(self, message: Message, account: Account) -> SendableMedia | SendError | None:
        """Hand a message's file to its vendor; None where it has none. Total but for an outage of ours."""
        media = message.media
        if media is None:
            return None
        if not is_ours(media):
            return _as_given(media)
        try:
            file = self._rows.get(media.media_id or "")
            self._rows.show_in(file.id, message.id)
            return self._lend(file, media, account, since=_asked_again_at(message))
        except NotFound:
            return _problem(ErrorKind.FINAL, "media_gone", "The file is not here any more")

    def _lend(
        self, file: MediaFile, media: Media, account: Account, *, since: datetime | None
    ) -> SendableMedia | SendError:
        access = self._providers[account.provider].media
        kept = access.uploads_kept if access else None
        uploaded = _uploaded(file, account, self._clock, since=since + kept if since and kept else None)
        if uploaded is not None:
            LENDINGS.labels(account.provider, "again").inc()
            return SendableMedia(vendor_id=uploaded)
        name = media.file_name or file.file_name or "file"
        base_url = self._base_url(account)
        request = (
            access.upload(account, base_url=base_url, file_name=name, mime_type=file.mime_type) if access else None
        )
        if access is None or request is None:
            LENDINGS.labels(account.provider, "link").inc()
            return SendableMedia(link=self._links.make(file.id))
        return self._upload(file, account, access, request)

    def _upload(
        self, file: MediaFile, account: Account, access: MediaAccess, request: HttpRequest
    ) -> SendableMedia | SendError:
        try:
            vendor_id = access.uploaded(self._hand_over(file, request))
        except CallError as error:
            return _problem(ErrorKind.RETRYABLE, error.reason, "The file could not be handed to the vendor")
        if isinstance(vendor_id, SendError):
            LENDINGS.labels(account.provider, "refused").inc()
            return _repeatable(vendor_id)
        LENDINGS.labels(account.provider, "upload").inc()
        if access.uploads_kept is not None:
            now = self._clock.now()
            upload = VendorUpload(config_id=account.id, media_id=vendor_id, expires_at=now + access.uploads_kept)
            self._rows.remember_upload(file.id, upload, now=now)
        return SendableMedia(vendor_id=vendor_id)

    def _hand_over(self, file: MediaFile, request: HttpRequest) -> HttpAnswer:
        with tempfile.TemporaryFile(prefix="hookline-upload-") as copy:
            self._storage.copy(file, cast("BinaryIO", copy))
            copy.seek(0)
            return self._outgoing.call(request, deadline=UPLOAD, file=cast("BinaryIO", copy))


def is_ours(media: Media) -> bool:
    """Say whether a message's file is one of ours, by its id."""
    return (media.media_id or "").startswith(OURS)


def _asked_again_at(message: Message) -> datetime | None:
    """When a person asked for another attempt: the last may have failed for the vendor's id of the file."""
    ended = any(one.outcome in _ENDED for one in message.attempts or ())
    return message.queued_at if ended else None


def _uploaded(file: MediaFile, account: Account, clock: Clock, *, since: datetime | None) -> str | None:
    """Find the account's own id of a file that is good for a while yet, or until so late where that is said."""
    still = max(clock.now() + MARGIN, since or clock.now())
    good = (one for one in file.uploads if one.config_id == account.id and one.expires_at >= still)
    return next((one.media_id for one in good), None)


def _as_given(media: Media) -> SendableMedia | SendError:
    """Pass on what the agent gave: a vendor's id, or a link for the vendor to follow."""
    link = next((one for one in (media.source_url, media.url) if one and one.lower().startswith(_WEB)), None)
    if media.media_id or link:
        return SendableMedia(vendor_id=media.media_id, link=None if media.media_id else link)
    return _problem(ErrorKind.FINAL, "media_missing", "The message names no file")


def _repeatable(error: SendError) -> SendError:
    """Read a doubtful end of an upload as a failed one: nothing was sent to anybody."""
    if error.kind is not ErrorKind.UNKNOWN:
        return error
    return replace(error, kind=ErrorKind.RETRYABLE, error=replace(error.error, kind=ErrorKind.RETRYABLE))


def _problem(kind: ErrorKind, code: str, title: str) -> SendError:
    retryable = kind is ErrorKind.RETRYABLE
    return SendError(kind=kind, error=MessageError(code=code, title=title, kind=kind.value, retryable=retryable))
