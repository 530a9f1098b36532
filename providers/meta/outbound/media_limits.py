"""What files Meta takes: their types and sizes.

Vendor document: "Cloud API: Supported media types". Deliberately opens no file: types and sizes are as recorded.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from models.message import Media
from models.values import MessageType
from providers import wire
from providers.meta.outbound.spans import Finding
from providers.outbound import MediaLimit

KB: Final = 1024
MB: Final = 1024 * KB
#: A sticker that does not move; `LIMITS` has the one for those that do.
STILL_STICKER: Final = 100 * KB
#: The only type of a voice message (opus codec, one channel).
VOICE: Final = "audio/ogg"
#: Types of message whose file has a text of its own.
CAPTIONED: Final = frozenset({MessageType.IMAGE, MessageType.VIDEO, MessageType.DOCUMENT})

_OFFICE: Final = "application/vnd.openxmlformats-officedocument"

LIMITS: Final[Mapping[MessageType, MediaLimit]] = {
    MessageType.IMAGE: MediaLimit(mime_types=frozenset({"image/jpeg", "image/png"}), max_bytes=5 * MB),
    MessageType.VIDEO: MediaLimit(mime_types=frozenset({"video/mp4", "video/3gpp"}), max_bytes=16 * MB),
    MessageType.AUDIO: MediaLimit(
        mime_types=frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", VOICE}), max_bytes=16 * MB
    ),
    MessageType.STICKER: MediaLimit(mime_types=frozenset({"image/webp"}), max_bytes=500 * KB),
    MessageType.DOCUMENT: MediaLimit(
        mime_types=frozenset(
            {
                "text/plain",
                "application/pdf",
                "application/msword",
                "application/vnd.ms-excel",
                "application/vnd.ms-powerpoint",
                f"{_OFFICE}.wordprocessingml.document",
                f"{_OFFICE}.spreadsheetml.sheet",
                f"{_OFFICE}.presentationml.presentation",
            }
        ),
        max_bytes=100 * MB,
    ),
}


def media_findings(kind: MessageType, media: Media) -> Iterator[Finding]:
    """Check a file, as far as it is known."""
    limit = LIMITS[kind]
    mime = wire.media_type(media.mime_type)
    if mime and mime not in limit.mime_types:
        yield "media.mimeType", f"{mime} cannot be sent as {kind}"
    elif media.voice and mime and mime != VOICE:
        yield "media.mimeType", f"a voice message must be {VOICE}"
    most = STILL_STICKER if kind is MessageType.STICKER and media.animated is False else limit.max_bytes
    if media.file_size is not None and media.file_size > most:
        yield "media.fileSize", f"is more than {most // KB} KB"
