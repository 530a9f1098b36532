"""What Meta checks of a message before it takes it (documentation: "Messages", "Interactive messages").

Pure. Deliberately no template and no window: those need to know more than the message.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

#: Characters at most.
TEXT, CAPTION, BODY, LIST_BODY, BUTTON, ROW, ROW_WORDS, OPAQUE = 4096, 1024, 1024, 4096, 20, 24, 72, 512
#: Types that carry a file.
FILES = ("image", "video", "document", "audio", "sticker")
#: Kinds of `interactive` whose action is named otherwise, or only that it has parameters.
NAMED_ACTIONS = {
    "cta_url": "cta_url",
    "flow": "flow",
    "location_request_message": "send_location",
    "request_contact_info": "request_contact_info",
}
USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")


class Wrong(Exception):
    """Meta refuses it, by this code."""

    def __init__(self, code: str, details: str = "") -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details


def check(message: Mapping[str, Any]) -> None:
    """Check a send.

    Raises:
        Wrong: something is missing, too long or of the wrong kind.
    """
    if message.get("messaging_product") != "whatsapp":
        raise Wrong("100", "The parameter messaging_product is required.")
    _check_recipient(message)
    kind = message.get("type", "text")
    if kind not in CONTENT:
        raise Wrong("100", f'Param type must be one of {{{", ".join(CONTENT)}}} - got "{kind}".')
    content = message.get(kind)
    if not content:
        raise Wrong("131008", f"The parameter {kind} is required.")
    _at_most(OPAQUE, message.get("biz_opaque_callback_data"), "biz_opaque_callback_data")
    CONTENT[kind](content)


def digits(number: object) -> str:
    """Return a number without what people write between digits."""
    return re.sub(r"[+\-() ]", "", str(number))


def _check_recipient(message: Mapping[str, Any]) -> None:
    to, user_id = message.get("to"), message.get("recipient")
    if not to and not user_id:
        raise Wrong("131008", "The parameter to is required.")
    is_group = message.get("recipient_type") == "group"
    if to and not is_group and not re.fullmatch(r"\d{7,15}", digits(to)):
        raise Wrong("131009", "The parameter to is not a phone number.")
    if not to and not USER_ID.fullmatch(str(user_id)):
        raise Wrong("131009", "The parameter recipient is not a user id.")


def _text(content: Json) -> None:
    _needed(content, "body", "text")
    _at_most(TEXT, content["body"], "text['body']")


def _file(content: Json) -> None:
    if not content.get("id") and not content.get("link"):
        raise Wrong("131008", "One of the parameters id and link is required.")
    if content.get("link") and not str(content["link"]).startswith(("https://", "http://")):
        raise Wrong("131009", "The parameter link is not a URL.")
    _at_most(CAPTION, content.get("caption"), "caption")


def _without_caption(content: Json) -> None:
    _file(content)
    if "caption" in content:
        raise Wrong("100", 'Unexpected key "caption".')


def _location(content: Json) -> None:
    for name in ("latitude", "longitude"):
        if content.get(name) is None:
            raise Wrong("131008", f"The parameter location['{name}'] is required.")


def _contacts(content: Sequence[Json]) -> None:
    if not isinstance(content, list) or len(content) > 257:
        raise Wrong("131009", "The parameter contacts has to be a list of at most 257.")
    for card in content:
        _needed(card.get("name") or {}, "formatted_name", "contacts['name']")


def _reaction(content: Json) -> None:
    _needed(content, "message_id", "reaction")
    if not isinstance(content.get("emoji"), str):
        raise Wrong("131008", "The parameter reaction['emoji'] is required.")


def _template(content: Json) -> None:
    _needed(content, "name", "template")
    _needed(content.get("language") or {}, "code", "template['language']")


def _interactive(content: Json) -> None:
    kind, action = content.get("type"), content.get("action") or {}
    _needed(content.get("body") or {}, "text", "interactive['body']")
    _at_most(LIST_BODY if kind == "list" else BODY, content["body"]["text"], "body text")
    _at_most(60, (content.get("footer") or {}).get("text"), "footer text")
    if kind == "button":
        _buttons(action.get("buttons") or [])
    elif kind == "list":
        _list(action)
    elif action.get("name") != NAMED_ACTIONS.get(str(kind), ""):
        raise Wrong("131009", "The action does not fit the type of the interactive message.")


def _buttons(buttons: Sequence[Json]) -> None:
    replies = [button.get("reply") or {} for button in buttons]
    titles = [str(one.get("title") or "") for one in replies]
    if not 1 <= len(buttons) <= 3:
        raise Wrong("131009", "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3")
    if not all(0 < len(title) <= BUTTON for title in titles):
        raise Wrong("131009", "Button title length invalid. Min length: 1, Max length: 20")
    if len(set(titles)) < len(titles) or len({one.get("id") for one in replies}) < len(replies):
        raise Wrong("131009", "Titles and ids of buttons have to be unique.")


def _list(action: Json) -> None:
    _needed(action, "button", "action")
    _at_most(BUTTON, action["button"], "action['button']")
    sections = action.get("sections") or []
    rows = [row for section in sections for row in section.get("rows") or []]
    if not 1 <= len(rows) <= 10:
        raise Wrong("131009", "Total row count exceeds the allowed number: 10, or there is none")
    if len(sections) > 1 and not all(section.get("title") for section in sections):
        raise Wrong("131009", "Sections need titles where there is more than one.")
    for row in rows:
        _needed(row, "id", "row")
        _needed(row, "title", "row")
        _at_most(ROW, row["title"], "row title")
        _at_most(ROW_WORDS, row.get("description"), "row description")


def _needed(content: Mapping[str, Any], name: str, where: str) -> None:
    if not content.get(name):
        raise Wrong("131008", f"The parameter {where}['{name}'] is required.")


def _at_most(limit: int, value: object, name: str) -> None:
    if value is not None and len(str(value)) > limit:
        raise Wrong("100", f"Param {name} must be at most {limit} characters long.")


#: Message type -> the check of its content.
CONTENT: Mapping[str, Callable[[Any], None]] = {
    "text": _text,
    **dict.fromkeys(("image", "video", "document"), _file),
    **dict.fromkeys(("audio", "sticker"), _without_caption),
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "interactive": _interactive,
    "template": _template,
}
