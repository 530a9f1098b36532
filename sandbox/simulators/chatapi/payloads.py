"""The shapes of ChatAPI's webhook (documentation: the OpenAPI file of chat-api.com, 1.0.0).

Pure builders. Unless told otherwise, files lie on a host of a domain that never resolves: nobody is sent anywhere.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.simulators import files
from sandbox.simulators.chatapi.cast import Group
from sandbox.simulators.scribe import Json, Progress, Turn
from sandbox.simulators.stories import Person, somewhere

#: Where files lie unless told otherwise.
STORE = "https://store.chat-api.example/incoming"
#: Kinds of steps that bring a file, with ChatAPI's word for each and how the file's name ends.
FILES: Mapping[str, tuple[str, str]] = {
    "image": ("image", "jpeg"),
    "voice": ("ptt", "oga"),
    "video": ("video", "mp4"),
    "document": ("document", "pdf"),
}
#: How a file's name ends -> its media type.
ENDINGS = {"jpeg": "image/jpeg", "oga": "audio/ogg", "mp4": "video/mp4", "pdf": "application/pdf"}
#: One in so many messages of the team was sent through the API, and has a place in its queue.
THROUGH_API = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The instance the webhooks are for, and the number of its phone (digits)."""

    instance_id: str
    number: str
    #: Where files lie.
    store: str = STORE


def chat_id(person: Person) -> str:
    """Return the id of a chat with a person or a group."""
    return f"{person.number}@{'g' if isinstance(person, Group) else 'c'}.us"


def message_id(turn: Turn) -> str:
    """Return a fresh id; it tells who wrote, in which chat, and in a group also who of it."""
    person, by_team = turn.person, turn.step.by_team
    own = f"{'true' if by_team else 'false'}_{chat_id(person)}_3EB0{turn.chance.getrandbits(64):016X}"
    writer = turn.chance.choice(person.members) if isinstance(person, Group) and not by_team else None
    return f"{own}_{chat_id(writer)}" if writer else own


def api_message_id(chat: str, chance: random.Random) -> str:
    """Return a fresh id of a message that was sent through the API."""
    number = chance.getrandbits(64)
    return f"true_{chat}_3EB0{number - number % THROUGH_API:016X}"


def queue_number(own_id: str) -> int:
    """Return the place in the queue of a message that was sent through the API."""
    return int(own_id[-4:], 16)


def media_file(mark: str, ending: str) -> tuple[str, bytes]:
    """Return media type and bytes of what lies in the store under that name, the same at any time."""
    media_type = ENDINGS.get(ending, "application/pdf")
    return media_type, files.MAKERS[media_type](f"demo media {mark}")


def sent(instance: Instance, chat: Person, own_id: str, content: Json) -> Json:
    """Return an item of `messages` that tells the business what it sent through the API, but for number and time."""
    return {
        "id": own_id,
        "fromMe": True,
        "self": 1,
        "isForwarded": 0,
        "author": f"{instance.number}@c.us",
        "chatId": chat_id(chat),
        "senderName": "Workshop",
        "chatName": chat.name,
        "caption": None,
        **dict.fromkeys(("quotedMsgBody", "quotedMsgId", "quotedMsgType")),
        **content,
    }


def message(instance: Instance, turn: Turn, own_id: str) -> Json:
    """Return an item of `messages`, but for its number."""
    author = _author(instance, turn, own_id)
    return {
        "id": own_id,
        "fromMe": turn.step.by_team,
        "self": int(turn.step.by_team and _through_api(own_id)),
        "isForwarded": int(turn.step.kind == "forward"),
        "author": chat_id(author),
        "time": turn.at,
        "chatId": chat_id(turn.person),
        "senderName": author.name,
        "chatName": turn.person.name,
        "caption": None,
        **dict.fromkeys(("quotedMsgBody", "quotedMsgId", "quotedMsgType")),
        **CONTENT[turn.step.kind](instance, turn),
    }


def ack(progress: Progress) -> Json:
    """Return an item of `ack`."""
    own_id = progress.message_id
    place = {"queueNumber": queue_number(own_id)} if _through_api(own_id) else {}
    return {"id": own_id, **place, "chatId": chat_id(progress.person), "status": progress.state}


def chat_update(person: Person) -> Json:
    """Return an item of `chatUpdate`: a chat that was not there before."""
    members = [chat_id(member) for member in person.members] if isinstance(person, Group) else []
    metadata = {"isGroup": isinstance(person, Group), "participants": members, "groupInviteLink": None}
    return {"old": None, "new": {"id": chat_id(person), "name": person.name, "image": "", "metadata": metadata}}


def body(instance: Instance, lists: Mapping[str, list[Json]]) -> bytes:
    """Return the whole body."""
    return json.dumps({**lists, "instanceId": instance.instance_id}, ensure_ascii=False).encode()


def _through_api(own_id: str) -> bool:
    return int(own_id[-1], 16) % THROUGH_API == 0


def _author(instance: Instance, turn: Turn, own_id: str) -> Person:
    """Return who wrote; in a group the id of the message tells."""
    if turn.step.by_team:
        return Person("Workshop", instance.number)
    members = turn.person.members if isinstance(turn.person, Group) else (turn.person,)
    return next((one for one in members if own_id.endswith(chat_id(one))), turn.person)


def _words(_instance: Instance, turn: Turn) -> Json:
    return {"type": "chat", "body": turn.step.words}


def _button(_instance: Instance, turn: Turn) -> Json:
    return {"type": "buttons_response", "body": turn.step.words}


def _reply(instance: Instance, turn: Turn) -> Json:
    return {**_words(instance, turn), "quotedMsgId": turn.refers_to, "quotedMsgType": "chat"}


def _location(_instance: Instance, turn: Turn) -> Json:
    latitude, longitude = somewhere(turn.chance)
    return {"type": "location", "body": f"{latitude};{longitude}"}


def _card(_instance: Instance, _turn: Turn) -> Json:
    lines = ("BEGIN:VCARD", "VERSION:3.0", "FN:Ana Okoro", "TEL;waid=447700900901:+44 7700 900901", "END:VCARD")
    return {"type": "vcard", "body": "\n".join(lines)}


def _file(instance: Instance, turn: Turn) -> Json:
    kind, ending = FILES[turn.step.kind]
    url = f"{instance.store}/{turn.chance.getrandbits(128):032x}.{ending}"
    return {"type": kind, "body": url, "caption": turn.step.words or None}


#: Kind of a step to the part of the message that carries it.
CONTENT: Mapping[str, Callable[[Instance, Turn], Json]] = {
    "text": _words,
    "forward": _words,
    "reply": _reply,
    "button": _button,
    "location": _location,
    "card": _card,
    **dict.fromkeys(FILES, _file),
}
