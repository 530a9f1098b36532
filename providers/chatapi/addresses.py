"""Chat ids and message ids: who is on the other side, as far as their shape tells.

    447700900381@c.us   a person, by number          98765432101234@lid   a person who hides the number
    447700900381        the same at some clones      GB.4821…@lid         the same at 1msg, by user id (BSUID)
    …@g.us              a group                      status@broadcast     not meant for us
    {true|false}_{chat id}_{HEX}[_{participant}]     a message's id at the Web variant; elsewhere it is opaque

Deliberately guesses no number: only `@c.us` holds one, and bare digits mean it.
"""

import re
from dataclasses import dataclass
from typing import Final

from providers import wire
from providers.events import Party

#: Longer message ids are not taken apart (characters).
ID_LENGTH: Final = 256

_PERSON = re.compile(r"([0-9]{4,15})@c\.us")
_BARE = re.compile(r"[0-9]{7,15}")
#: A business-scoped user id, as Meta writes it.
_USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[0-9A-Za-z]{1,128}")
_HIDDEN: Final = "@lid"
_MESSAGE_ID = re.compile(r"(true|false)_(.+?@(?:[cg]\.us|lid|broadcast))_([0-9A-Z]+)(?:_(.+@(?:c\.us|lid)))?")
_NO_DIGITS = re.compile(r"[^0-9]+")


@dataclass(frozen=True, slots=True)
class MessageId:
    """What a message's id says besides naming it; nothing, where it is opaque."""

    from_us: bool | None = None
    chat: str | None = None
    participant: str | None = None

    @property
    def sender(self) -> str | None:
        """The chat id of who wrote it; None where that was the business, or is unknown."""
        if self.from_us is not False:
            return None
        return self.participant or (None if self.chat is None or is_group(self.chat) else self.chat)


def opened(message_id: str) -> MessageId:
    """Take a message's id apart."""
    found = _MESSAGE_ID.fullmatch(message_id) if len(message_id) <= ID_LENGTH else None
    return MessageId(found[1] == "true", found[2], found[4]) if found else MessageId()


def chat_named(value: object) -> str | None:
    """Read the id of a chat; digits alone are a person's."""
    chat = (wire.text(value) or "").strip()
    return (f"{chat}@c.us" if _BARE.fullmatch(chat) else chat) or None


def user_id_of(*values: object) -> str | None:
    """Read a user id, told by itself or as the id of a chat."""
    words = ((wire.text(value) or "").removesuffix(_HIDDEN) for value in values)
    return next((word for word in words if _USER_ID.fullmatch(word)), None)


def is_group(chat: str) -> bool:
    """Say whether a chat is a group."""
    return chat.endswith("@g.us")


def is_broadcast(chat: str) -> bool:
    """Say whether a chat is a status, a broadcast list or a channel: nobody there writes to us."""
    return chat.endswith(("@broadcast", "@newsletter"))


def phone_of(chat: str | None) -> str | None:
    """Read the number that a chat id holds, E.164."""
    found = _PERSON.fullmatch(chat or "")
    return wire.phone(found[1]) if found else None


def name_of(value: object, chat: str | None) -> str | None:
    """Read a name; None where it is but the chat's own id or number in some spelling."""
    name = (wire.text(value) or "").strip()
    if name in {"", chat}:
        return None
    number = (chat or "").partition("@")[0]
    spelled = _NO_DIGITS.sub("", name) == number and not any(one.isalpha() for one in name)
    return None if spelled else name


def party_of(
    chat: str, *names: object, also: str | None = None, user_id: object = None, username: object = None
) -> Party:
    """Make the other side of a chat, under the first of the names that is one.

    `also` is a second id of the same person, which may disclose the number that the first one hides.
    """
    found = (name_of(name, chat) for name in names)
    return Party(
        phone=phone_of(chat) or phone_of(also),
        user_id=user_id_of(user_id, chat, also),
        username=wire.text(username),
        chat_id=chat,
        name=next((name for name in found if name), None),
    )
