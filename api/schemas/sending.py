"""What is to be sent: fields named and nested as in the message that it becomes.

Each type says which fields it needs and which it may have; what the vendor would refuse beyond that is said by
`services.sending.gate`, under the same paths. Deliberately no limits of vendors.
"""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from api.schemas.fields import Flag, Text, storable
from api.schemas.orders import Order as Body
from models.message import Choice, ChoiceGroup, Contact, Content, Interactive, Location, Media
from models.values import MEDIA_TYPES, MediaState, MessageType
from services.sending.orders import Order, TemplateChoice

#: Longest text (characters) that is looked at at all; vendors take far less in one message.
MAX_TEXT: Final = 65_536
#: Entries of any list, at most.
MAX_ENTRIES: Final = 100
#: Longest address (characters) of a file.
MAX_URL: Final = 2_048
KINDS: Final = ("buttons", "list", "cta_url", "flow", "location_request", "contact_request")
#: Type -> what it needs (one of several where they are joined by "|"), and what it may have besides.
SHAPES: Final[Mapping[MessageType, tuple[str, tuple[str, ...]]]] = {
    MessageType.TEXT: ("text", ("split",)),
    **dict.fromkeys(MEDIA_TYPES, ("media", ())),
    MessageType.LOCATION: ("location", ()),
    MessageType.CONTACT: ("contact|contacts", ()),
    MessageType.INTERACTIVE: ("interactive", ("text", "media")),
    MessageType.TEMPLATE: ("template", ()),
    MessageType.REACTION: ("target_id", ("emoji",)),
}
_ALWAYS: Final = frozenset({"type", "reply_to"})


def _line(**kwargs: Any) -> fields.String:
    return fields.String(validate=validate.Length(1, MAX_TEXT), **kwargs)


class MediaOrder(Body):
    """A file: one of ours by `mediaId`, or a public link by `url`."""

    media_id = Text()
    url = fields.Url(schemes={"http", "https"}, require_tld=False, validate=validate.Length(max=MAX_URL))
    caption = _line()
    file_name = Text()
    mime_type = Text()
    voice = Flag()

    @validates_schema
    def one_of_both(self, data: dict[str, Any], **_: Any) -> None:
        """Ask for exactly one way to the file."""
        if ("media_id" in data) == ("url" in data):
            raise ValidationError("Give either mediaId or url.", "mediaId")

    @post_load
    def built(self, data: dict[str, Any], **_: Any) -> Media:
        """Make it a file of a message; there is nothing to fetch."""
        return Media(**data, state=MediaState.READY)


class LocationOrder(Body):
    """A place."""

    latitude = fields.Float(required=True, validate=validate.Range(-90, 90))
    longitude = fields.Float(required=True, validate=validate.Range(-180, 180))
    name = Text()
    address = _line()
    url = fields.Url(schemes={"http", "https"}, validate=validate.Length(max=MAX_URL))

    @post_load
    def built(self, data: dict[str, Any], **_: Any) -> Location:
        """Make it a place of a message."""
        return Location(**data)


class ContactOrder(Body):
    """A contact card: name and number, or whole in `details`, or as a vCard."""

    name = Text()
    phone_number = Text()
    vcard = _line()
    details = fields.Dict(keys=fields.String(), validate=storable)

    @post_load
    def built(self, data: dict[str, Any], **_: Any) -> Contact:
        """Make it a card of a message."""
        return Contact(**data)


class ChoiceOrder(Body):
    """A button, or a row of a list."""

    id = Text(required=True)
    title = Text(required=True)
    description = Text()

    @post_load
    def built(self, data: dict[str, Any], **_: Any) -> Choice:
        """Make it a choice of a message."""
        return Choice(**data)


class ChoiceGroupOrder(Body):
    """Rows of a list under a heading."""

    title = Text()
    rows = fields.List(fields.Nested(ChoiceOrder), required=True, validate=validate.Length(1, MAX_ENTRIES))

    @post_load
    def built(self, data: dict[str, Any], **_: Any) -> ChoiceGroup:
        """Make it a group of a message."""
        return ChoiceGroup(**data)


class InteractiveOrder(Body):
    """What asks for a tap; its text is the message's `text`, a header's file its `media`."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    header = Text()
    footer = Text()
    label = Text()
    buttons = fields.List(fields.Nested(ChoiceOrder), validate=validate.Length(1, MAX_ENTRIES))
    sections = fields.List(fields.Nested(ChoiceGroupOrder), validate=validate.Length(1, MAX_ENTRIES))
    url = _line()
    flow = fields.Dict(keys=fields.String(), validate=storable)

    @post_load
    def built(self, data: dict[str, Any], **_: Any) -> Interactive:
        """Make it the interactive part of a message."""
        return Interactive(**data)


class TemplateOrder(Body):
    """A template and its values; `parameters` of the template itself says what it asks for."""

    name = Text(required=True)
    language = Text()
    parameters = fields.Raw(metadata={"description": "A list for {{1}}, an object for {{name}}."})
    header = fields.Dict(keys=fields.String())
    buttons = fields.Dict(keys=fields.String())
    cards = fields.List(fields.Dict(keys=fields.String()), validate=validate.Length(max=MAX_ENTRIES))
    expires_at = _line()

    @post_load
    def built(self, data: dict[str, Any], **_: Any) -> TemplateChoice:
        """Make it a choice of a template; the values keep the spelling of the request."""
        name, language = data.pop("name"), data.pop("language", None)
        if "expires_at" in data:
            data["expiresAt"] = data.pop("expires_at")
        return TemplateChoice(name=name, language=language, values=data)


class MessageOrder(Body):
    """A message to be sent; `replyTo` and `targetId` are our ids of messages of the same chat."""

    type = fields.String(required=True, validate=validate.OneOf([kind.value for kind in SHAPES]))
    text = _line()
    split = Flag(metadata={"description": "Send a text that is too long as several messages."})
    media = fields.Nested(MediaOrder)
    location = fields.Nested(LocationOrder)
    contact = fields.Nested(ContactOrder)
    contacts = fields.List(fields.Nested(ContactOrder), validate=validate.Length(1, MAX_ENTRIES))
    interactive = fields.Nested(InteractiveOrder)
    template = fields.Nested(TemplateOrder)
    reply_to = Text()
    target_id = Text()
    emoji = fields.String(validate=validate.Length(max=32))

    @validates_schema
    def fits_its_type(self, data: dict[str, Any], **_: Any) -> None:
        """Ask for what the type needs, and refuse what it has no use for."""
        needed, more = SHAPES[MessageType(data["type"])]
        wanted = needed.split("|")
        problems: dict[str, list[str]] = {}
        if not any(name in data for name in wanted):
            problems[self.fields[wanted[0]].data_key or wanted[0]] = [f"A {data['type']} needs this."]
        for name in data.keys() - {*_ALWAYS, *wanted, *more}:
            problems[self.fields[name].data_key or name] = [f"A {data['type']} has no use for this."]
        if problems:
            raise ValidationError(problems)

    @post_load
    def built(self, data: dict[str, Any], **_: Any) -> Order:
        """Make it an order."""
        own = {name: data.pop(name) for name in ("template", "reply_to", "target_id", "emoji", "split") if name in data}
        return Order(content=Content(**{**data, "type": MessageType(data["type"])}), **own)


class RetryOrder(Body):
    """Why a message is tried again, for the audit trail."""

    reason = fields.String(validate=validate.Length(max=500))
