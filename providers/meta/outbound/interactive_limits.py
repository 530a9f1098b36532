"""What Meta would refuse of buttons, lists, links, flows and requests.

Vendor document: "Cloud API: Interactive messages". Deliberately says nothing about the address.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from models.message import Choice, ChoiceGroup, Interactive, Media, Message
from models.values import MessageType
from providers import wire
from providers.meta.outbound.interactive import FLOW_KEYS, KINDS
from providers.meta.outbound.media_limits import media_findings
from providers.meta.outbound.spans import Finding, bounded, unique
from providers.meta.outbound.uploads import header_of

#: Characters of the body, the header's text and the footer.
BODY_LENGTH: Final = 1024
LIST_BODY_LENGTH: Final = 4096
HEADER_LENGTH: Final = 60
FOOTER_LENGTH: Final = 60
#: Reply buttons of a message; characters of one's title and id.
BUTTONS: Final = 3
BUTTON_LENGTH: Final = 20
BUTTON_ID_LENGTH: Final = 256
#: Sections of a list, and rows of all of them together.
SECTIONS: Final = 10
ROWS: Final = 10
#: Characters of a section's title, and of a row's title, description and id.
SECTION_LENGTH: Final = 24
ROW_LENGTH: Final = 24
DESCRIPTION_LENGTH: Final = 72
ROW_ID_LENGTH: Final = 200
#: Characters on the button that opens a list or a link, and on one that opens a flow.
LABEL_LENGTH: Final = 20
FLOW_LABEL_LENGTH: Final = 30
#: Characters of an address, as in templates.
URL_LENGTH: Final = 2000
MODES: Final = frozenset({"draft", "published"})
FLOW_ACTIONS: Final = frozenset({"navigate", "data_exchange"})

#: Kinds whose header may be a file, and whose header must be text; the others have neither header nor footer.
_FILE_HEADER: Final = frozenset({"buttons", "cta_url", "flow"})
_TEXT_HEADER: Final = _FILE_HEADER | {"list"}
_WEB: Final = ("https://", "http://")


def interactive_findings(message: Message) -> Iterator[Finding]:
    """Check a message that asks for a tap."""
    asked = message.interactive
    if asked is None:
        yield "interactive", "is needed"
    elif asked.kind not in KINDS:
        yield "interactive.kind", f"must be one of {', '.join(KINDS)}"
    else:
        yield from bounded("text", message.text, LIST_BODY_LENGTH if asked.kind == "list" else BODY_LENGTH)
        yield from _around(asked, message.media)
        yield from _FINDERS[asked.kind](asked)


def _around(asked: Interactive, media: Media | None) -> Iterator[Finding]:
    """Check header and footer."""
    yield from bounded("interactive.header", asked.header, HEADER_LENGTH, required=False)
    yield from bounded("interactive.footer", asked.footer, FOOTER_LENGTH, required=False)
    if asked.kind not in _TEXT_HEADER:
        if asked.header:
            yield "interactive.header", "cannot be sent with this kind"
        if asked.footer:
            yield "interactive.footer", "cannot be sent with this kind"
    if media is not None:
        yield from _header_file(asked, media)


def _header_file(asked: Interactive, media: Media) -> Iterator[Finding]:
    if asked.kind not in _FILE_HEADER:
        yield "media", "cannot be sent with this kind"
    elif asked.header:
        yield "interactive.header", "cannot be text where the header is a file"
    else:
        yield from media_findings(MessageType(header_of(media)), media)


def _buttons(asked: Interactive) -> Iterator[Finding]:
    if not 1 <= len(asked.buttons) <= BUTTONS:
        yield "interactive.buttons", f"must be 1 to {BUTTONS} buttons"
    placed = [(f"interactive.buttons.{index}", button) for index, button in enumerate(asked.buttons)]
    for path, button in placed:
        yield from bounded(f"{path}.title", button.title, BUTTON_LENGTH)
        yield from bounded(f"{path}.id", button.id, BUTTON_ID_LENGTH)
    yield from unique((f"{path}.title", button.title) for path, button in placed)
    yield from unique((f"{path}.id", button.id) for path, button in placed)


def _list(asked: Interactive) -> Iterator[Finding]:
    yield from bounded("interactive.label", asked.label, LABEL_LENGTH)
    if not 1 <= len(asked.sections) <= SECTIONS:
        yield "interactive.sections", f"must be 1 to {SECTIONS} sections"
    if sum(len(section.rows) for section in asked.sections) > ROWS:
        yield "interactive.sections", f"must have {ROWS} rows in all at most"
    rows: list[tuple[str, Choice]] = []
    for index, section in enumerate(asked.sections):
        path = f"interactive.sections.{index}"
        yield from _section(path, section, titled=len(asked.sections) > 1)
        rows += [(f"{path}.rows.{n}", row) for n, row in enumerate(section.rows)]
    for path, row in rows:
        yield from _row(path, row)
    yield from unique((f"{path}.id", row.id) for path, row in rows)


def _section(path: str, section: ChoiceGroup, *, titled: bool) -> Iterator[Finding]:
    yield from bounded(f"{path}.title", section.title, SECTION_LENGTH, required=titled)
    if not section.rows:
        yield f"{path}.rows", "must have a row at least"


def _row(path: str, row: Choice) -> Iterator[Finding]:
    yield from bounded(f"{path}.title", row.title, ROW_LENGTH)
    yield from bounded(f"{path}.id", row.id, ROW_ID_LENGTH)
    yield from bounded(f"{path}.description", row.description, DESCRIPTION_LENGTH, required=False)


def _link(asked: Interactive) -> Iterator[Finding]:
    yield from bounded("interactive.label", asked.label, LABEL_LENGTH)
    yield from bounded("interactive.url", asked.url, URL_LENGTH)
    if asked.url and not asked.url.lower().startswith(_WEB):
        yield "interactive.url", "must begin with https:// or http://"


def _flow(asked: Interactive) -> Iterator[Finding]:
    yield from bounded("interactive.label", asked.label, FLOW_LABEL_LENGTH)
    flow = asked.flow or {}
    if bool(wire.text(flow.get("flow_id"))) is bool(wire.text(flow.get("flow_name"))):
        yield "interactive.flow", "needs either a flow_id or a flow_name"
    for key in sorted(flow.keys() - FLOW_KEYS):
        yield f"interactive.flow.{key}", "is not known"
    for key, words in (("mode", MODES), ("flow_action", FLOW_ACTIONS)):
        if flow.get(key) is not None and wire.text(flow[key]) not in words:
            yield f"interactive.flow.{key}", f"must be one of {', '.join(sorted(words))}"
    yield from _screen(flow)


def _screen(flow: dict[str, Any]) -> Iterator[Finding]:
    payload = flow.get("flow_action_payload")
    if payload is not None and not wire.text(wire.mapping(payload).get("screen")):
        yield "interactive.flow.flow_action_payload", "needs a screen"


def _nothing(_: Interactive) -> Iterator[Finding]:
    return iter(())


_FINDERS: Final[dict[str, Callable[[Interactive], Iterator[Finding]]]] = {
    "buttons": _buttons,
    "list": _list,
    "cta_url": _link,
    "flow": _flow,
    "location_request": _nothing,
    "contact_request": _nothing,
}
