"""The body of each kind of message: what both variants take, what only chat-api.com does, and what only 1msg does.

    sendMessage {"body"}   sendFile {"body": link, "filename", "caption"?}   sendPTT {"audio"}   sendVCard {"vcard"}
    sendLocation {"lat", "lng", "address"}   1msg: sendList, sendButton, sendFlow, sendReaction, sendTemplate, …

Vendor documents: the OpenAPI file of chat-api.com (1.0.0); that of 1msg.io (2.39.0) and its SDK. Deliberately judges
nothing: `limits` says beforehand what the vendor refuses.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from models.message import Choice, ChoiceGroup, Interactive, Location, Message, TemplateUse
from models.values import MessageType
from providers.chatapi.addresses import is_group
from providers.chatapi.outbound.cards import cards_of, known_ids, meta_card, vcard_of
from providers.chatapi.outbound.files import caption_of, link_of, name_of
from providers.chatapi.outbound.methods import target, target_by_phone
from providers.outbound import SendableMedia, Sending
from runtime.errors import Invalid

#: A method's name, and its body.
Call = tuple[str, dict[str, Any]]

_MENTION = re.compile(r"@([0-9]{7,15})\b")
#: The parameters of a template's header that are files.
_FILES: Final = frozenset({"image", "video", "document"})
#: What our `flow` may hold -> 1msg's name of it; it finds flows by id alone.
FLOW_KEYS: Final = {
    "flow_id": "flowId",
    "flow_token": "flowToken",
    "mode": "mode",
    "flow_action": "flowAction",
    "flow_action_payload": "flowActionPayload",
}
#: Stands between the namespace and the rest of what identifies a template of 1msg.
TEMPLATE_SEPARATOR: Final = "/"


def call_of(sending: Sending, table: Mapping[MessageType, Callable[[Sending], Call]]) -> Call:
    """Build the call for a message.

    Raises:
        Invalid: messages of this type cannot be sent, or the file of one is not at hand.
    """
    kind = sending.message.type
    if kind not in table:
        raise Invalid("this kind of message cannot be sent", fields={"type": [f"{kind} cannot be sent"]})
    return table[kind](sending)


def given(**values: object) -> dict[str, Any]:
    """Leave out what is not there."""
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _framed(sending: Sending, **content: object) -> dict[str, Any]:
    """Put recipient and quotation around a content."""
    return {**target(sending.to), **given(**content), **given(quotedMsgId=quoted_by(sending.message))}


def quoted_by(message: Message) -> str | None:
    """Name what a message answers, or what a reaction is for."""
    return message.context.message_id if message.context else None


def _text(sending: Sending) -> Call:
    return "sendMessage", _framed(sending, body=sending.message.text)


def _web_text(sending: Sending) -> Call:
    """Build a text; who is named by number in a group is told so."""
    text = sending.message.text or ""
    chat = sending.to.group_id or sending.to.chat_id or ""
    mentioned = list(dict.fromkeys(_MENTION.findall(text))) if is_group(chat) else []
    return "sendMessage", _framed(sending, body=text, mentionedPhones=mentioned)


def _file(sending: Sending) -> Call:
    message = sending.message
    content = {"body": link_of(sending), "filename": name_of(message), "caption": caption_of(message)}
    return "sendFile", _framed(sending, **content)


def _is_voice(message: Message) -> bool:
    return bool(message.media and message.media.voice)


def _web_audio(sending: Sending) -> Call:
    if not _is_voice(sending.message):
        return _file(sending)
    return "sendPTT", _framed(sending, audio=link_of(sending))


def _audio(sending: Sending) -> Call:
    method, body = _file(sending)
    return method, body | ({"voice": True} if _is_voice(sending.message) else {})


def _web_location(sending: Sending) -> Call:
    """Build a pin; its address has at most two lines, of which the name is the first."""
    place = sending.message.location or Location()
    address = " ".join((place.address or "").split("\n")) if place.name else place.address
    lines = "\n".join(line for line in (place.name, address) if line)
    return "sendLocation", _framed(sending, lat=place.latitude, lng=place.longitude, address=lines)


def _location(sending: Sending) -> Call:
    place = sending.message.location or Location()
    content = {"lat": _degrees(place.latitude), "lng": _degrees(place.longitude)}
    return "sendLocation", _framed(sending, **content, name=place.name, address=place.address)


def _degrees(value: float | None) -> str:
    return f"{value or 0:.7f}".rstrip("0").rstrip(".")


def _web_contact(sending: Sending) -> Call:
    """Send chats we know by their ids; anybody else, one at a time, as a card."""
    contacts = cards_of(sending.message)
    ids = known_ids(contacts)
    if ids:
        return "sendContact", _framed(sending, contactId=ids)
    return "sendVCard", _framed(sending, vcard=vcard_of(contacts[0]) if contacts else None)


def _contact(sending: Sending) -> Call:
    return "sendContact", _framed(sending, contacts=[meta_card(one) for one in cards_of(sending.message)])


def _sticker(sending: Sending) -> Call:
    return "sendSticker", _framed(sending, link=link_of(sending))


def _reaction(sending: Sending) -> Call:
    """Put an emoji on a message, or with an empty one take ours away."""
    message = sending.message
    body = {"body": message.emoji or "", "quotedMsgId": quoted_by(message)}
    return "sendReaction", {**target_by_phone(sending.to), **body}


def _interactive(sending: Sending) -> Call:
    shown = sending.message.interactive or Interactive(kind="")
    if shown.kind not in INTERACTIVE:
        problem = f"1msg cannot send {shown.kind}"
        raise Invalid("this kind of message cannot be sent", fields={"interactive.kind": [problem]})
    return INTERACTIVE[shown.kind](sending, shown)


def _list(sending: Sending, shown: Interactive) -> Call:
    sections = [_section(group) for group in shown.sections]
    content = {"body": sending.message.text, "action": shown.label, "header": shown.header, "footer": shown.footer}
    return "sendList", _framed(sending, **content, sections=sections)


def _section(group: ChoiceGroup) -> dict[str, Any]:
    return given(title=group.title, rows=[_row(row) for row in group.rows])


def _row(row: Choice) -> dict[str, Any]:
    return given(id=row.id, title=row.title, description=row.description)


def _buttons(sending: Sending, shown: Interactive) -> Call:
    sections = [{"type": "reply", "reply": {"id": one.id, "title": one.title}} for one in shown.buttons]
    content = given(body=sending.message.text, footer=shown.footer, sections=sections)
    return "sendButton", {**target_by_phone(sending.to), **content, **given(quotedMsgId=quoted_by(sending.message))}


def _ask_for_location(sending: Sending, _shown: Interactive) -> Call:
    content = given(body=sending.message.text, quotedMsgId=quoted_by(sending.message))
    return "sendLocationRequest", {**target_by_phone(sending.to), **content}


def _link(sending: Sending, shown: Interactive) -> Call:
    return "sendCtaUrl", _framed(sending, **_around(sending, shown), displayText=shown.label, url=shown.url)


def _flow(sending: Sending, shown: Interactive) -> Call:
    """Build a flow's call; where the writer gives no token, our id tells the answers apart."""
    told = {FLOW_KEYS[key]: value for key, value in (shown.flow or {}).items() if key in FLOW_KEYS}
    content = {"flowToken": sending.message.id, **given(**told), "flowCta": shown.label}
    return "sendFlow", _framed(sending, **_around(sending, shown), **content)


def _around(sending: Sending, shown: Interactive) -> dict[str, Any]:
    header = {"type": "text", "text": shown.header} if shown.header else None
    return {"body": sending.message.text, "header": header, "footer": shown.footer}


def _template(sending: Sending) -> Call:
    """Build a template's use; the namespace is the first part of the id under which we know it."""
    use = sending.message.template or TemplateUse(name="")
    namespace = (use.provider_template_id or "").partition(TEMPLATE_SEPARATOR)[0]
    body = {
        "template": use.name,
        "language": {"policy": "deterministic", "code": use.language},
        **given(namespace=namespace, params=_parameters(use, sending.header_media or sending.media)),
    }
    return "sendTemplate", {**target_by_phone(sending.to), **body}


def _parameters(use: TemplateUse, file: SendableMedia | None) -> list[dict[str, Any]]:
    """Tell what is filled in; the link of a header's file is put in its place."""
    if use.components is None:
        values = [{"type": "text", "text": value} for value in use.parameters]
        return [{"type": "body", "parameters": values}] if values else []
    link = file.link if file else None
    return [_with_file(component, link) if link else component for component in use.components]


def _with_file(component: dict[str, Any], link: str) -> dict[str, Any]:
    parameters = component.get("parameters")
    if str(component.get("type")).lower() != "header" or not isinstance(parameters, list):
        return component
    return {**component, "parameters": [_linked(one, link) for one in parameters]}


def _linked(parameter: dict[str, Any], link: str) -> dict[str, Any]:
    kind = parameter.get("type")
    if kind not in _FILES:
        return parameter
    known = {key: value for key, value in (parameter.get(kind) or {}).items() if key not in {"id", "link"}}
    return {"type": kind, kind: {"link": link, **known}}


#: Kind of interactive message -> what builds it.
INTERACTIVE: Final[Mapping[str, Callable[[Sending, Interactive], Call]]] = {
    "list": _list,
    "buttons": _buttons,
    "cta_url": _link,
    "flow": _flow,
    "location_request": _ask_for_location,
}
#: Type -> what builds the call.
WEB_CALLS: Final[Mapping[MessageType, Callable[[Sending], Call]]] = {
    MessageType.TEXT: _web_text,
    MessageType.IMAGE: _file,
    MessageType.VIDEO: _file,
    MessageType.AUDIO: _web_audio,
    MessageType.DOCUMENT: _file,
    MessageType.LOCATION: _web_location,
    MessageType.CONTACT: _web_contact,
}
ONE_MSG_CALLS: Final[Mapping[MessageType, Callable[[Sending], Call]]] = {
    MessageType.TEXT: _text,
    MessageType.IMAGE: _file,
    MessageType.VIDEO: _file,
    MessageType.AUDIO: _audio,
    MessageType.DOCUMENT: _file,
    MessageType.STICKER: _sticker,
    MessageType.LOCATION: _location,
    MessageType.CONTACT: _contact,
    MessageType.REACTION: _reaction,
    MessageType.INTERACTIVE: _interactive,
    MessageType.TEMPLATE: _template,
}
