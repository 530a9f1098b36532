"""Files at Meta: fetching what customers sent, handing over what is to be sent.

    GET /{media id}?phone_number_id=…  ->  {"url": "https://lookaside.fbsbx.com/…", "mime_type": "image/jpeg",
                                            "sha256": "<hex>", "file_size": "184213" or 184213, "id": "…"}

Vendor document: "Cloud API: Media". An address is good for five minutes and wants the same token; so it is asked for
anew on every try. Deliberately moves no bytes.
"""

import re
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar, Final

from models.message import Media
from providers import wire
from providers.answers import json_object
from providers.base import Account
from providers.meta.outbound import graph, judging
from providers.outbound import ErrorKind, MediaAccess, MediaSource, SendError
from runtime.calls import HttpAnswer, HttpRequest, Part

#: Some of Meta's hosts turn away clients that do not name themselves.
USER_AGENT: Final = "Hookline"
#: Invalid parameter: of a look-up, that the id is unknown, expired, or another number's.
_GONE: Final = "100"

_MEDIA_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")


class MetaMedia(MediaAccess):
    """Files of one phone number."""

    hosts: ClassVar[frozenset[str]] = frozenset({".fbsbx.com", ".fbcdn.net", ".whatsapp.net"})
    trusted_hosts: ClassVar[frozenset[str]] = frozenset({"lookaside.fbsbx.com"})
    #: An id from a webhook, and one of an upload.
    kept: ClassVar[timedelta] = timedelta(days=7)
    uploads_kept: ClassVar[timedelta | None] = timedelta(days=30)

    def look_up(self, account: Account, *, base_url: str, media: Media) -> HttpRequest | None:
        """Ask for a fresh address; None where the webhook gave an address but no id."""
        if not _MEDIA_ID.fullmatch(media.media_id or ""):
            return None
        query = {"phone_number_id": graph.owned(account, "phoneNumberId")}
        return graph.ask(account, "GET", base_url, media.media_id or "", query=query)

    def found(self, answer: HttpAnswer) -> MediaSource | SendError:
        """Read where the file is."""
        data = json_object(answer)
        error = judging.refusal(answer, data=data)
        if error:
            return _gone(error) if error.error.code == _GONE else error
        url = wire.text((data or {}).get("url"))
        if data is None or url is None:
            return judging.repeatable(judging.unclear(answer))
        size = wire.number(data.get("file_size"))
        return MediaSource(
            url=url,
            mime_type=wire.media_type(data.get("mime_type")),
            sha256=wire.sha256(data.get("sha256")),
            size=int(size) if size is not None and size >= 0 else None,
        )

    def download(self, account: Account, *, url: str, trusted: bool) -> HttpRequest:
        """Build the request that fetches the file."""
        token = graph.token_of(account) if trusted else None
        return HttpRequest(method="GET", url=url, headers={"user-agent": USER_AGENT}, authorization=token)

    def upload(self, account: Account, *, base_url: str, file_name: str, mime_type: str) -> HttpRequest | None:
        """Build the request that hands a file over; its type must be what the file is."""
        request = graph.ask(account, "POST", base_url, graph.owned(account, "phoneNumberId"), "media")
        form = {"messaging_product": "whatsapp", "type": mime_type}
        return replace(request, form=form, file=Part(field="file", file_name=file_name, mime_type=mime_type))

    def uploaded(self, answer: HttpAnswer) -> str | SendError:
        """Read the id of an upload; one made twice does no harm."""
        data = json_object(answer)
        found = wire.text((data or {}).get("id"))
        error = judging.refusal(answer, data=data)
        return error or found or judging.repeatable(judging.unclear(answer))


def _gone(error: SendError) -> SendError:
    """Say that the file is gone: here the object asked for is the file, not our own number."""
    told = replace(error.error, kind=ErrorKind.FINAL, retryable=False)
    return replace(error, kind=ErrorKind.FINAL, error=told, health=None)
