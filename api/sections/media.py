"""Files: what customers sent, for those who may see its chat, and what agents upload to send it.

A file is saved, not shown, unless it is a picture, a sound or a film. Deliberately no fetching here: workers do it.
"""

from functools import partial
from typing import Any, BinaryIO, Final, cast

from flask import Response, request
from werkzeug.datastructures import FileStorage

from api.access import ANY_TOKEN, NOTHING, caller
from api.desk import desk
from api.files import Served, file_answer
from api.schemas.media import MediaFileSchema, PublicQuery, UploadedFiles
from api.schemas.messages import MessageSchema
from api.schemas.wire import paths_of
from api.section import Section
from models.media_file import MediaFile
from models.store.codec import to_document
from models.store.views import chats_seen_by
from runtime.errors import NotFound
from runtime.thumbnails import MIME_TYPE
from services.media.storage import MAX_BYTES

section: Final = Section("media", about="Files of messages.")

#: Bytes of an upload that are not the file: boundaries and headers.
AROUND: Final = 64 * 1024
_SHOWN: Final = frozenset(paths_of(MediaFileSchema))


def _allow_files() -> None:
    """Let an upload be as large as a file; by now its sender is known to have a token."""
    if request.endpoint == "media.upload_media":
        request.max_content_length = MAX_BYTES + AROUND


section.before_request(_allow_files)


@section.endpoint(
    "POST", "/media", needs=ANY_TOKEN, files=UploadedFiles, answers=MediaFileSchema, status=201, problems=(413, 422)
)
def upload_media(parts: dict[str, FileStorage]) -> dict[str, Any]:
    """Upload a file to send it: its `id` is the `mediaId` of a message.

    What a vendor takes is judged when a message with it is sent.
    """
    part = parts["file"]
    file = desk().uploading.take(
        cast("BinaryIO", part.stream), file_name=part.filename, declared=part.mimetype, by=caller()
    )
    return _described(desk().media_files.get(file.id))


@section.endpoint("GET", "/media/<media_id>", needs=ANY_TOKEN, answers=None, problems=(416,))
def get_media(media_id: str) -> Response:
    """Get a file, or a range of it.

    It can be seen by those who may see a chat that shows it, and by who uploaded it.
    """
    return file_answer(_whole(_seen(media_id)))


@section.endpoint("GET", "/media/<media_id>/thumbnail", needs=ANY_TOKEN, answers=None, problems=(416,))
def get_media_thumbnail(media_id: str) -> Response:
    """Get a small picture of a picture."""
    file = _seen(media_id)
    read = partial(desk().media_storage.read_thumbnail, file)
    small = Served(
        read=read,
        size=file.thumbnail_size or 0,
        mime_type=MIME_TYPE,
        tag=f"{file.sha256}-thumbnail",
        name=f"{file.id}.jpg",
    )
    return file_answer(small)


@section.endpoint("GET", "/media/<media_id>/public", needs=NOTHING, query=PublicQuery, answers=None, problems=(416,))
def get_public_media(link: dict[str, str], media_id: str) -> Response:
    """Get a file by a signed link, as vendors do.

    Links are made when a message is sent, and are good for a day.
    """
    if not desk().media_links.is_good(media_id, expires=link["expires"], signature=link["signature"]):
        raise NotFound("This link is not good, or not any more.")
    return file_answer(_whole(desk().media_files.get(media_id)), cache="no-store")


@section.endpoint(
    "POST", "/media/<message_id>/refetch", needs=ANY_TOKEN, answers=MessageSchema, status=202, problems=(409,)
)
def refetch_media(message_id: str) -> dict[str, Any]:
    """Fetch the files of a message again that could not be fetched; takes the message's id."""
    message = desk().messages.one(message_id)
    desk().chats.check(message["chatId"], scope=chats_seen_by(caller()))
    desk().media_fetching.take_up_again(message_id)
    return desk().messages.one(message_id)


def _seen(media_id: str) -> MediaFile:
    """Find a file that the caller may see.

    Raises:
        NotFound: there is none, or none for this caller.
    """
    return desk().media_files.get(media_id, seen_by=caller())


def _whole(file: MediaFile) -> Served:
    read = partial(desk().media_storage.read, file)
    return Served(read=read, size=file.size, mime_type=file.mime_type, tag=file.sha256, name=file.file_name or file.id)


def _described(file: MediaFile) -> dict[str, Any]:
    return {name: value for name, value in to_document(file).items() if name in _SHOWN}
