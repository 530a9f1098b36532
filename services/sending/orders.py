"""What somebody wants to be sent: a content, perhaps as an answer to a message, perhaps in pieces.

Deliberately nothing about whether it may be: `services.sending.gate` judges.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from models.message import Content, Media, TemplateUse
from models.store.codec import to_document
from models.values import MessageType

#: Where a text is cut, the best first: between paragraphs, lines, sentences, words.
_BREAKS: Final = tuple(re.compile(pattern) for pattern in (r"\n\s*\n", r"\n", r"(?<=[.!?…])\s", r"\s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateChoice:
    """Which template, and the values it is to be filled in with, as the request spells them."""

    name: str
    language: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One message to be sent, or several where a long text may be split."""

    content: Content = field(default_factory=Content)
    template: TemplateChoice | None = None
    #: Our id of the message it answers.
    reply_to: str | None = None
    #: For reactions: our id of the message, and what is put on it; nothing takes it away.
    target_id: str | None = None
    emoji: str | None = None
    #: Whether a text that is too long goes out as several messages.
    split: bool = False

    @property
    def spelled(self) -> dict[str, Any]:
        """All of it as plain values, to be compared with another."""
        return {name: to_document(value) if name == "content" else value for name, value in self._values().items()}

    def _values(self) -> dict[str, Any]:
        template = self.template
        chosen = {"name": template.name, "language": template.language, "values": template.values} if template else None
        return {
            "content": self.content,
            "template": chosen,
            "reply_to": self.reply_to,
            "target_id": self.target_id,
            "emoji": self.emoji,
            "split": self.split,
        }


class Filled(Protocol):
    """A template filled in: what is sent, what agents read, and a file of ours that its header shows."""

    @property
    def use(self) -> TemplateUse:
        """What is sent."""

    @property
    def text(self) -> str | None:
        """What agents read."""

    @property
    def header_file(self) -> Any:
        """The file of ours that the header shows: its id and name."""


class FillTemplate(Protocol):
    """Finds a template and fills it in."""

    def __call__(self, *, config_id: str, name: str, language: str | None, values: Mapping[str, Any]) -> Filled:
        """Fill a template in.

        Raises:
            Invalid: there is no such template, or the values do not fit; `fields` by path.
        """
        ...


def text_order(text: str, *, reply_to: str | None = None) -> Order:
    """Order a plain text."""
    return Order(content=Content(type=MessageType.TEXT, text=text), reply_to=reply_to)


def template_content(filled: Filled) -> Content:
    """What a message says that uses a template."""
    file = filled.header_file
    media = Media(media_id=file.file_id, file_name=file.file_name) if file else None
    return Content(type=MessageType.TEMPLATE, template=filled.use, text=filled.text, media=media)


def pieces(content: Content, *, limit: int) -> list[Content]:
    """Cut a text that is too long into contents that are not."""
    if content.type is not MessageType.TEXT or len(content.text or "") <= limit:
        return [content]
    return [replace(content, text=piece) for piece in split(content.text or "", limit)]


def split(text: str, limit: int) -> Iterator[str]:
    """Cut a text into pieces of so many characters at most, at the best place in the latter half of each."""
    rest = text.strip()
    while len(rest) > limit:
        cut = _cut(rest, limit)
        yield rest[:cut].rstrip()
        rest = rest[cut:].lstrip()
    if rest:
        yield rest


def _cut(text: str, limit: int) -> int:
    for pattern in _BREAKS:
        found = [match.end() for match in pattern.finditer(text, limit // 2, limit + 1) if match.start() <= limit]
        if found:
            return min(found[-1], limit)
    return limit
