"""The shapes of ChatAPI's webhook (documentation: the OpenAPI file of chat-api.com, 1.0.0).

Pure builders. Files lie on a host of a domain that never resolves, so that the demo sends nobody anywhere.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.simulators.chatapi.cast import Group
from sandbox.simulators.scribe import Json, Progress, Turn
from sandbox.simulators.stories import Person, somewhere

#: Where files lie.
STORE = "https://store.chat-api.example/incoming"
#: Kinds of steps that bring a file, with ChatAPI's word for each and how the file's name ends.
FILES: Mapping[str, tuple[str, str]] = {
    "image": ("image", "jpeg"),
    "voice": ("ptt", "oga"),
    "video": ("video", "mp4"),
    "document": ("document", "pdf"),
}
#: One in so many messages of the team was sent through the API, and has a place in its queue.
THROUGH_API = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The instance the webhooks are for, and the number of its phone (digits)."""

    instance_id: str
    number: str


def chat_id(person: Person) -> str:
    """Return the id of a chat with a person or a group."""
    return f"{person.number}@{'g' if isinstance(person, Group) else 'c'}.us"


def message_id(turn: Turn) -> str:
    """Return a fresh id; it tells who wrote, in which chat, and in a group also who of it."""
    person, by_team = turn.person, turn.step.by_team
    own = f"{'true' if by_team else 'false'}_{chat_id(person)}_3EB0{turn.chance.getrandbits(64):016X}"
    writer = turn.chance.choice(person.members) if isinstance(person, Group) and not by_team else None
    return f"{own}_{chat_id(writer)}" if writer else own


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
        **CONTENT[turn.step.kind](turn),
    }


def ack(progress: Progress) -> Json:
    """Return an item of `ack`."""
    own_id = progress.message_id
    place = {"queueNumber": int(own_id[-4:], 16)} if _through_api(own_id) else {}
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


def _words(turn: Turn) -> Json:
    return {"type": "chat", "body": turn.step.words}


def _button(turn: Turn) -> Json:
    return {"type": "buttons_response", "body": turn.step.words}


def _reply(turn: Turn) -> Json:
    return {**_words(turn), "quotedMsgId": turn.refers_to, "quotedMsgType": "chat"}


def _location(turn: Turn) -> Json:
    latitude, longitude = somewhere(turn.chance)
    return {"type": "location", "body": f"{latitude};{longitude}"}


def _card(_turn: Turn) -> Json:
    lines = ("BEGIN:VCARD", "VERSION:3.0", "FN:Ana Okoro", "TEL;waid=447700900901:+44 7700 900901", "END:VCARD")
    return {"type": "vcard", "body": "\n".join(lines)}


def _file(turn: Turn) -> Json:
    kind, ending = FILES[turn.step.kind]
    url = f"{STORE}/{turn.chance.getrandbits(128):032x}.{ending}"
    return {"type": kind, "body": url, "caption": turn.step.words or None}


#: Kind of a step to the part of the message that carries it.
CONTENT: Mapping[str, Callable[[Turn], Json]] = {
    "text": _words,
    "forward": _words,
    "reply": _reply,
    "button": _button,
    "location": _location,
    "card": _card,
    **dict.fromkeys(FILES, _file),
}
