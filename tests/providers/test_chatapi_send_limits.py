"""What neither ChatAPI nor 1msg can send, said by field before anything leaves."""

from typing import Any

import pytest

from models.message import Choice, ChoiceGroup, Contact, Location, Media, Message, TemplateUse
from providers.outbound import Destination, Sender
from runtime.errors import Invalid
from tests.providers.chatapi_sends import (
    CHANNEL,
    ONE_MSG,
    QUOTING,
    SLOTS,
    TO_CHAT,
    WEB,
    account,
    asks,
    message,
    sending,
    uses,
)


def choices(count: int, title: str = "Yes") -> list[Choice]:
    return [Choice(id=str(i), title=title) for i in range(count)]


HERE = Location(latitude=1.0, longitude=1.0)


@pytest.mark.parametrize(
    ("sender", "sent", "field"),
    [
        (WEB, message(text=""), "text"),
        (WEB, message(text="x" * 65_537), "text"),
        (WEB, message("reaction", emoji="👍", context=QUOTING), "type"),
        (WEB, message("sticker", media=Media()), "type"),
        (WEB, asks("buttons", buttons=choices(1)), "type"),
        (WEB, uses(), "type"),
        (WEB, message("order"), "type"),
        (WEB, message("image"), "media"),
        (WEB, message("image", media=Media(), more_media=[Media()]), "moreMedia"),
        (WEB, message("audio", media=Media(voice=True, caption="x")), "media.caption"),
        (WEB, message("location"), "location"),
        (WEB, message("location", location=Location(latitude=1.0)), "location"),
        (WEB, message("contact"), "contacts"),
        (WEB, message("contact", contacts=[Contact(name="A"), Contact(name="B")]), "contacts"),
        (ONE_MSG, message(text="x" * 4_097), "text"),
        (ONE_MSG, message("document", media=Media(caption="x" * 1_025)), "media.caption"),
        (ONE_MSG, message("sticker", media=Media(caption="x")), "media.caption"),
        (ONE_MSG, message("location", location=HERE), "location.name"),
        (ONE_MSG, message("reaction", emoji="👍"), "targetId"),
        (ONE_MSG, message("template"), "template.name"),
        (ONE_MSG, message("template", template=TemplateUse(name="a")), "template.language"),
        (ONE_MSG, message("interactive"), "interactive"),
        (ONE_MSG, asks("contact_request"), "interactive.kind"),
        (ONE_MSG, asks("cta_url", url="https://shop.example"), "interactive.label"),
        (ONE_MSG, asks("cta_url", label="x" * 21, url="https://shop.example"), "interactive.label"),
        (ONE_MSG, asks("cta_url", label="Open"), "interactive.url"),
        (ONE_MSG, asks("cta_url", label="Open", url="shop.example"), "interactive.url"),
        (ONE_MSG, asks("flow", flow={"flow_id": "7"}), "interactive.label"),
        (ONE_MSG, asks("flow", label="Book"), "interactive.flow.flow_id"),
        (ONE_MSG, asks("flow", label="Book", flow={"flow_name": "book"}), "interactive.flow.flow_name"),
        (ONE_MSG, asks("flow", label="Book", flow={"flow_id": "7", "mode": "x"}), "interactive.flow.mode"),
        (ONE_MSG, asks("flow", label="Book", flow={"flow_id": "7", "mode": ["draft"]}), "interactive.flow.mode"),
        (
            ONE_MSG,
            asks("flow", label="Book", flow={"flow_id": "7", "flow_action_payload": {"data": {}}}),
            "interactive.flow.flow_action_payload",
        ),
        (WEB, message("audio", media=Media(voice=True, mime_type="audio/mpeg")), "media.mimeType"),
        (ONE_MSG, message("audio", media=Media(voice=True, mime_type="audio/mp4; codecs=x")), "media.mimeType"),
        (ONE_MSG, asks("buttons", "", buttons=choices(1)), "text"),
        (ONE_MSG, asks("buttons", "x" * 1_025, buttons=choices(1)), "text"),
        (ONE_MSG, asks("buttons"), "interactive.buttons"),
        (ONE_MSG, asks("buttons", buttons=choices(4)), "interactive.buttons"),
        (ONE_MSG, asks("buttons", buttons=[*choices(1), *choices(1)]), "interactive.buttons"),
        (ONE_MSG, asks("buttons", buttons=choices(1), header="x"), "interactive.header"),
        (ONE_MSG, asks("buttons", buttons=choices(1), footer="x" * 61), "interactive.footer"),
        (ONE_MSG, asks("buttons", buttons=choices(2, "x" * 21)), "interactive.buttons.0.title"),
        (ONE_MSG, asks("list", sections=[SLOTS]), "interactive.label"),
        (ONE_MSG, asks("list", label="x"), "interactive.sections"),
        (ONE_MSG, asks("list", label="x", sections=[ChoiceGroup(rows=choices(11))]), "interactive.sections"),
        (ONE_MSG, asks("list", label="x", sections=[SLOTS, SLOTS]), "interactive.sections"),
        (ONE_MSG, asks("list", label="x" * 21, sections=[SLOTS]), "interactive.label"),
        (
            ONE_MSG,
            asks("list", label="x", sections=[SLOTS, ChoiceGroup(rows=choices(1))]),
            "interactive.sections.1.title",
        ),
        (
            ONE_MSG,
            asks("list", label="x", sections=[ChoiceGroup(rows=[Choice(id="1", title="x", description="x" * 73)])]),
            "interactive.sections.0.rows.0.description",
        ),
    ],
)
def test_what_the_vendor_would_refuse_is_said_by_field(sender: Sender, sent: Message, field: str) -> None:
    found = sender.problems(sent, TO_CHAT)
    assert field in found
    assert all(found.values())


@pytest.mark.parametrize("who", [Destination(), Destination(user_id="GB.48213907715562204913")])
def test_who_cannot_be_reached_is_said(who: Destination) -> None:
    for sender in (WEB, ONE_MSG):
        assert list(sender.problems(message(), who)) == ["to"]


NOT_BY_WEB = {"sticker", "reaction", "interactive", "template", "button", "order", "system", "unsupported"}


@pytest.mark.parametrize(
    ("sender", "own", "kinds"),
    [(WEB, account(), NOT_BY_WEB), (ONE_MSG, CHANNEL, NOT_BY_WEB - {"sticker", "reaction", "interactive", "template"})],
)
def test_what_cannot_be_sent_makes_no_request(sender: Sender, own: Any, kinds: set[str]) -> None:
    for kind in kinds:
        with pytest.raises(Invalid) as refused:
            sender.request(sending(message(kind), account=own))
        assert refused.value.fields.keys() == sender.problems(message(kind), TO_CHAT).keys() == {"type"}


def test_an_interactive_message_that_1msg_has_no_method_for_makes_no_request() -> None:
    with pytest.raises(Invalid) as refused:
        ONE_MSG.request(sending(asks("contact_request"), account=CHANNEL))
    assert "interactive.kind" in refused.value.fields
