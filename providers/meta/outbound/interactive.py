"""Messages that ask for a tap: reply buttons, lists, links, flows, requests for a place or a number.

    {"type": "button", "header"?: {"type": "text", "text": "…"}, "body": {"text": "…"}, "footer"?: {"text": "…"},
     "action": {"buttons": [{"type": "reply", "reply": {"id": "…", "title": "…"}}]}}

Vendor document: "Cloud API: Interactive messages". Deliberately checks no limit.
"""

from collections.abc import Callable
from typing import Any, Final

from models.message import Choice, Interactive
from providers.meta.outbound.uploads import file_of, header_of
from providers.outbound import Sending
from runtime.errors import Invalid

Part = dict[str, Any]

#: The version of flow messages that Meta takes.
FLOW_MESSAGE_VERSION: Final = "3"
#: What our `flow` may hold.
FLOW_KEYS: Final = frozenset({"flow_id", "flow_name", "flow_token", "mode", "flow_action", "flow_action_payload"})


def interactive_of(sending: Sending) -> Part:
    """Build the object; its body is the message's text, the file of its header the message's media.

    Raises:
        Invalid: it is of no kind that Meta knows, or the header's file is not at hand.
    """
    asked = sending.message.interactive or Interactive(kind="")
    if asked.kind not in KINDS:
        raise Invalid("this kind of message cannot be sent", fields={"interactive.kind": ["is not known"]})
    kind, action = KINDS[asked.kind]
    built: Part = {"type": kind}
    if header := _header(sending, asked):
        built["header"] = header
    built["body"] = {"text": sending.message.text or ""}
    if asked.footer:
        built["footer"] = {"text": asked.footer}
    return {**built, "action": action(asked, sending.message.id)}


def _header(sending: Sending, asked: Interactive) -> Part | None:
    if asked.header:
        return {"type": "text", "text": asked.header}
    media = sending.message.media
    if media is None:
        return None
    kind, file = header_of(media), file_of(sending.media or sending.header_media)
    named = {"filename": media.file_name} if kind == "document" and media.file_name else {}
    return {"type": kind, kind: file | named}


def _buttons(asked: Interactive, _: str) -> Part:
    replies = [{"id": button.id, "title": button.title} for button in asked.buttons]
    return {"buttons": [{"type": "reply", "reply": reply} for reply in replies]}


def _list(asked: Interactive, _: str) -> Part:
    sections = [
        ({"title": section.title} if section.title else {}) | {"rows": [_row(row) for row in section.rows]}
        for section in asked.sections
    ]
    return {"button": asked.label, "sections": sections}


def _row(row: Choice) -> Part:
    built = {"id": row.id, "title": row.title}
    return built | {"description": row.description} if row.description else built


def _link(asked: Interactive, _: str) -> Part:
    return {"name": "cta_url", "parameters": {"display_text": asked.label, "url": asked.url}}


def _flow(asked: Interactive, message_id: str) -> Part:
    """Build a flow's action; where the writer gives no token, our id tells the answers apart."""
    flow = {key: value for key, value in (asked.flow or {}).items() if key in FLOW_KEYS and value is not None}
    parameters = {"flow_message_version": FLOW_MESSAGE_VERSION, "flow_token": message_id, "flow_cta": asked.label}
    return {"name": "flow", "parameters": parameters | flow}


def _named(name: str) -> Callable[[Interactive, str], Part]:
    return lambda _asked, _id: {"name": name}


#: Our kind -> Meta's, and what builds its action.
KINDS: Final[dict[str, tuple[str, Callable[[Interactive, str], Part]]]] = {
    "buttons": ("button", _buttons),
    "list": ("list", _list),
    "cta_url": ("cta_url", _link),
    "flow": ("flow", _flow),
    "location_request": ("location_request_message", _named("send_location")),
    "contact_request": ("request_contact_info", _named("request_contact_info")),
}
