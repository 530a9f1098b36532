"""Files on their way out: the vendor fetches a link, and judges by the name's ending what it is.

Deliberately looks at no file: its type is the message's word.
"""

import mimetypes
from typing import Final

from models.message import Media, Message
from models.values import MessageType
from providers.outbound import Sending
from runtime.errors import Invalid

#: What a file is called that has no name: the ending decides as what it is shown.
USUAL_NAMES: Final = {
    MessageType.IMAGE: "image.jpg",
    MessageType.VIDEO: "video.mp4",
    MessageType.AUDIO: "audio.mp3",
    MessageType.DOCUMENT: "document.bin",
    MessageType.STICKER: "sticker.webp",
}
#: Endings that the system's table does not know, or has several of.
_ENDINGS: Final = {
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "audio/ogg": ".ogg",
    "audio/mpeg": ".mp3",
    "audio/aac": ".aac",
    "audio/amr": ".amr",
    "video/mp4": ".mp4",
    "video/3gpp": ".3gp",
}


def link_of(sending: Sending) -> str:
    """Find the link under which the vendor can fetch the file.

    Raises:
        Invalid: there is none.
    """
    if sending.media and sending.media.link:
        return sending.media.link
    raise Invalid("the message's file is not at hand", fields={"media": ["is needed, as a link"]})


def caption_of(message: Message) -> str | None:
    """The text that goes with a file, wherever the writer put it."""
    return (message.media.caption if message.media else None) or message.text or None


def name_of(message: Message) -> str:
    """Name a file, always with an ending."""
    media = message.media or Media()
    usual = USUAL_NAMES[message.type]
    mime_type = media.mime_type or ""
    ending = _ENDINGS.get(mime_type) or mimetypes.guess_extension(mime_type) or f".{usual.partition('.')[2]}"
    name = media.file_name
    if not name:
        return f"{usual.partition('.')[0]}{ending}"
    return name if "." in name.strip(".") else f"{name}{ending}"
