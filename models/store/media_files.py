"""The verbs on files and on the work of fetching them: claim, settle, take up again, lend.

The work lies on the message itself (`fetch`), so that keeping a message costs no further write; a claim is a token, and
what a worker found counts only while its token stands. Deliberately no bytes: those are `models.store.files`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from pymongo import ReturnDocument
from pymongo.client_session import ClientSession

from models.caller import Caller
from models.media_file import FileState, MediaFile, VendorUpload, files_of
from models.message import Fetch, Media, Message
from models.store.codec import from_document, to_document
from models.store.collections import Store
from models.store.transactions import transact
from models.store.views import chats_seen_by
from models.values import MediaState, SenderType
from runtime.errors import Conflict, LeaseLost, NotFound

#: Messages that show one file, at most, as far as its permission is concerned.
SHOWN_IN: Final = 50
#: Whose files are a vendor's to give: all others come from us.
_FETCHED_FROM: Final = frozenset({SenderType.CUSTOMER, SenderType.BUSINESS_APP})


class MediaFiles:
    """Files, and messages whose files are to be fetched."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._files = store.mediafiles
        self._messages = store.messages

    def due(self, *, now: datetime, limit: int) -> list[str]:
        """Ids of messages whose files are due, those due longest first."""
        rows = self._messages.find({"fetch.dueAt": {"$lte": now}}, {"id": 1}).sort("fetch.dueAt", 1).limit(limit)
        return [row["id"] for row in rows]

    def claim(self, message_id: str, *, now: datetime, lease: timedelta) -> Message | None:
        """Take a message's files to fetch them; None where they are not due, or another worker's."""
        row = self._messages.find_one_and_update(
            {"id": message_id, "fetch.dueAt": {"$lte": now}},
            {"$set": {"fetch.dueAt": now + lease, "fetch.claim": uuid4().hex}, "$inc": {"fetch.tries": 1}},
            return_document=ReturnDocument.AFTER,
        )
        return from_document(Message, row) if row else None

    def settle(
        self,
        message: Message,
        found: Mapping[int, Media],
        *,
        files: Sequence[str] = (),
        again_at: datetime | None,
        now: datetime,
        keep: bool = False,
    ) -> None:
        """Write what became of a claimed message's files, by their place, and mark those that are stored.

        The work is done where nothing is due again; with `keep` the claim goes on until then.

        Raises:
            LeaseLost: the claim has ended; nothing was written.
        """
        values: dict[str, Any] = {_path(place): to_document(media) for place, media in found.items()}
        due = {} if again_at is None else {"fetch.dueAt": again_at}
        update: dict[str, Any] = {"$set": {**values, **due, "updatedAt": now}}
        if not keep:
            update["$unset"] = {"fetch.claim" if due else "fetch": 1}
        claim = message.fetch.claim if message.fetch else None

        def work(session: ClientSession) -> None:
            if files:
                stored = {"$set": {"state": FileState.STORED.value, "updatedAt": now}}
                self._files.update_many({"id": {"$in": list(files)}}, stored, session=session)
            held = {"id": message.id, "fetch.claim": claim}
            if not self._messages.update_one(held, update, session=session).matched_count:
                raise LeaseLost

        transact(self._store.client, work)

    def take_up_again(self, message_id: str, *, now: datetime) -> None:
        """Have the files of a message that are not here fetched now.

        Raises:
            NotFound: no such message.
            Conflict: all its files are here, or it has none.
        """

        def work(session: ClientSession) -> None:
            row = self._messages.find_one({"id": message_id, "isDeleted": False}, session=session)
            if row is None:
                raise NotFound(f"There is no message {message_id}.")
            message = from_document(Message, row)
            lacking = {place: one for place, one in enumerate(files_of(message)) if one.state is not MediaState.READY}
            if not lacking or message.sender_type not in _FETCHED_FROM:
                raise Conflict("This message has no file that could be fetched.", code="nothing_to_fetch")
            values: dict[str, Any] = {f"{_path(place)}.state": MediaState.PENDING.value for place in lacking}
            values |= {"fetch": to_document(Fetch(due_at=now)), "updatedAt": now}
            errors = {f"{_path(place)}.error": 1 for place in lacking}
            self._messages.update_one({"id": message_id}, {"$set": values, "$unset": errors}, session=session)

        transact(self._store.client, work)

    def add(self, file: MediaFile, *, now: datetime) -> None:
        """Announce a file whose bytes are about to be stored, or are."""
        self._files.insert_one(to_document(file) | {"createdAt": now, "updatedAt": now})

    def get(self, media_id: str, *, seen_by: Caller | None = None) -> MediaFile:
        """Find a file whose bytes are here; for a caller, one of their own, or that a chat shows which they may see.

        Raises:
            NotFound: there is none.
        """
        row = self._files.find_one({"id": media_id, "state": FileState.STORED.value, "isDeleted": False})
        if row is None or (seen_by is not None and not self._is_seen(from_document(MediaFile, row), seen_by)):
            raise NotFound(f"There is no media {media_id}.")
        return from_document(MediaFile, row)

    def mark_stored(self, media_id: str, *, now: datetime) -> None:
        """Say that a file's bytes are here."""
        self._files.update_one({"id": media_id}, {"$set": {"state": FileState.STORED.value, "updatedAt": now}})

    def _is_seen(self, file: MediaFile, by: Caller) -> bool:
        if file.uploaded_by and file.uploaded_by in {by.agent_id, by.token_id}:
            return True
        query = {"id": {"$in": self.chats_showing(file)}, "isDeleted": False, **chats_seen_by(by)}
        return self._store.chats.find_one(query, {"_id": 1}) is not None

    def chats_showing(self, file: MediaFile) -> list[str]:
        """Ids of the chats in which a file stands: those its messages are in now."""
        query = {"id": {"$in": file.message_ids[-SHOWN_IN:]}, "isDeleted": False}
        return [row["chatId"] for row in self._messages.find(query, {"chatId": 1})]

    def show_in(self, media_id: str, message_id: str, *, session: ClientSession | None = None) -> None:
        """Let those who may see a message see a file; of very many messages the latest count."""
        # Not a set without end: one picture may stand in every message of a campaign.
        new = {"id": media_id, "messageIds": {"$ne": message_id}}
        shown = {"$push": {"messageIds": {"$each": [message_id], "$slice": -SHOWN_IN}}}
        self._files.update_one(new, shown, session=session)

    def remember_upload(self, media_id: str, upload: VendorUpload, *, now: datetime) -> None:
        """Keep a vendor's id of a file in the place of the account's former ones."""
        replaced = {"uploads": {"configId": upload.config_id}}
        self._files.update_one({"id": media_id}, {"$pull": replaced})
        update = {"$push": {"uploads": to_document(upload)}, "$set": {"updatedAt": now}}
        self._files.update_one({"id": media_id}, update)

    def abandoned(self, *, before: datetime, limit: int) -> list[MediaFile]:
        """Files whose storing was begun before a moment and never ended."""
        query = {"state": FileState.STORING.value, "createdAt": {"$lt": before}}
        return [from_document(MediaFile, row) for row in self._files.find(query).sort("createdAt", 1).limit(limit)]

    def remove(self, media_id: str) -> None:
        """Remove the row of a file that was never stored."""
        self._files.delete_one({"id": media_id, "state": FileState.STORING.value})


def _path(place: int) -> str:
    """Where in a message a file stands: the first is its `media`."""
    return "media" if place == 0 else f"moreMedia.{place - 1}"
