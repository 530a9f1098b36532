"""Meta's limits, each by the path of its field, and each still kept one step before."""

from typing import Any

import pytest

from models.message import Choice, ChoiceGroup, Contact, Context, Interactive, Location, Media, Message, TemplateUse
from models.values import MessageType
from providers.outbound import Destination
from tests.providers.meta_sends import BSUID, PHONE, QUOTING, SENDER, TO_GROUP, TO_PHONE, TO_USER, message

KB, MB = 1024, 1024 * 1024


def paths(what: Message, to: Destination = TO_PHONE) -> set[str]:
    return set(SENDER.problems(what, to))


def asks(kind: str, *, text: str | None = "Which?", media: Media | None = None, **more: Any) -> Message:
    return message("interactive", text=text, media=media, interactive=Interactive(kind=kind, **more))


def buttons(*choices: tuple[str, str], **more: Any) -> Message:
    return asks(
        "buttons", buttons=[Choice(id=own_id, title=title) for own_id, title in choices or [("a", "A")]], **more
    )


def listing(*sections: tuple[str | None, int], label: str = "Choose", **more: Any) -> Message:
    """A list of sections, each of a title and a number of rows."""
    made = [
        ChoiceGroup(title=title, rows=[Choice(id=f"{place}-{n}", title="Row") for n in range(count)])
        for place, (title, count) in enumerate(sections)
    ]
    return asks("list", label=label, sections=made, **more)


def row(**more: Any) -> Message:
    return asks("list", label="Go", sections=[ChoiceGroup(rows=[Choice(**({"id": "1", "title": "Row"} | more))])])


def link(label: str = "Open", url: str = "https://a.example", **more: Any) -> Message:
    return asks("cta_url", label=label, url=url, **more)


def flow(label: str = "Start", **parts: Any) -> Message:
    return asks("flow", label=label, flow={"flow_id": "1"} | parts)


def template(*texts: str, **more: Any) -> Message:
    parts = [{"type": "body", "parameters": [{"type": "text", "text": text} for text in texts]}]
    return message("template", template=TemplateUse(**({"name": "t", "language": "en", "components": parts} | more)))


def file(kind: str, **more: Any) -> Message:
    return message(kind, media=Media(**more))


#: What is at a limit -> what is over it -> the field that is named.
BOUNDS: list[tuple[Message, Message, str]] = [
    (message(text="x" * 4096), message(text="x" * 4097), "text"),
    (message(text="x"), message(text="  "), "text"),
    (file("image", caption="x" * 1024), file("image", caption="x" * 1025), "media.caption"),
    (file("audio"), file("audio", caption="x"), "media.caption"),
    (message("image", media=Media(), text="x" * 1024), message("image", media=Media(), text="x" * 1025), "text"),
    (message("sticker", media=Media()), message("sticker", media=Media(), text="x"), "text"),
    (file("image"), message("image"), "media"),
    (file("image", mime_type="image/png"), file("image", mime_type="image/gif"), "media.mimeType"),
    (file("image", mime_type="IMAGE/JPEG; q=1"), file("image", mime_type="image/webp"), "media.mimeType"),
    (file("image", file_size=5 * MB), file("image", file_size=5 * MB + 1), "media.fileSize"),
    (file("video", mime_type="video/3gpp", file_size=16 * MB), file("video", file_size=16 * MB + 1), "media.fileSize"),
    (file("video", mime_type="video/mp4"), file("video", mime_type="video/quicktime"), "media.mimeType"),
    (file("audio", mime_type="audio/mpeg"), file("audio", mime_type="audio/wav"), "media.mimeType"),
    (file("audio", mime_type="audio/ogg; codecs=opus", voice=True),
     file("audio", mime_type="audio/mpeg", voice=True), "media.mimeType"),
    (file("document", mime_type="application/pdf", file_size=100 * MB),
     file("document", file_size=100 * MB + 1), "media.fileSize"),
    (file("document", mime_type="text/plain"), file("document", mime_type="application/zip"), "media.mimeType"),
    (file("sticker", mime_type="image/webp", file_size=500 * KB, animated=True),
     file("sticker", file_size=500 * KB + 1), "media.fileSize"),
    (file("sticker", file_size=100 * KB, animated=False),
     file("sticker", file_size=100 * KB + 1, animated=False), "media.fileSize"),
    (file("image"), message("image", media=Media(), more_media=[Media()]), "moreMedia"),
    (message("location", location=Location(latitude=90, longitude=-180)),
     message("location", location=Location(latitude=90.1, longitude=0)), "location.latitude"),
    (message("location", location=Location(latitude=0, longitude=0)),
     message("location", location=Location(latitude=0, longitude=float("nan"))), "location.longitude"),
    (message("location", location=Location(latitude=0, longitude=0)), message("location"), "location"),
    (message("contact", contacts=[Contact(name="A")] * 257),
     message("contact", contacts=[Contact(name="A")] * 258), "contacts"),
    (message("contact", contact=Contact(name="A")), message("contact"), "contacts"),
    (message("contact", contact=Contact(name="A")), message("contact", contact=Contact(phone_number=PHONE)),
     "contact.name"),
    (message("contact", contacts=[Contact(name="A"), Contact(details={"name": {"formatted_name": "B"}})]),
     message("contact", contacts=[Contact(name="A"), Contact(details={"name": {}})]), "contacts.1.name"),
    (message("reaction", emoji="🏴󠁧󠁢󠁥󠁮󠁧󠁿", context=QUOTING), message("reaction", emoji="ok", context=QUOTING), "emoji"),
    (message("reaction", emoji="", context=QUOTING), message("reaction", emoji="", context=Context()), "targetId"),
    (buttons(text="x" * 1024), buttons(text="x" * 1025), "text"),
    (buttons(), buttons(text=None), "text"),
    (buttons(("a", "A"), ("b", "B"), ("c", "C")), buttons(("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")),
     "interactive.buttons"),
    (buttons(), asks("buttons"), "interactive.buttons"),
    (buttons(("a", "A"), ("b", "x" * 20)), buttons(("a", "A"), ("b", "x" * 21)), "interactive.buttons.1.title"),
    (buttons(("a", "A"), ("b", "B")), buttons(("a", "A"), ("b", "A")), "interactive.buttons.1.title"),
    (buttons(("x" * 256, "A")), buttons(("x" * 257, "A")), "interactive.buttons.0.id"),
    (buttons(("a", "A"), ("b", "B")), buttons(("a", "A"), ("a", "B")), "interactive.buttons.1.id"),
    (buttons(header="x" * 60), buttons(header="x" * 61), "interactive.header"),
    (buttons(footer="x" * 60), buttons(footer="x" * 61), "interactive.footer"),
    (buttons(media=Media(mime_type="image/png")), buttons(media=Media(mime_type="image/gif")), "media.mimeType"),
    (buttons(media=Media()), buttons(media=Media(), header="Both"), "interactive.header"),
    (listing((None, 10), text="x" * 4096), listing((None, 10), text="x" * 4097), "text"),
    (listing((None, 10)), listing((None, 11)), "interactive.sections"),
    (listing(("A", 5), ("B", 5)), listing(("A", 5), ("B", 6)), "interactive.sections"),
    (listing(*[("A", 1)] * 10), listing(*[("A", 1)] * 11), "interactive.sections"),
    (listing((None, 1)), asks("list", label="Go"), "interactive.sections"),
    (listing(("x" * 24, 1)), listing(("x" * 25, 1)), "interactive.sections.0.title"),
    (listing(("A", 1), ("B", 1)), listing(("A", 1), (None, 1)), "interactive.sections.1.title"),
    (listing(("A", 1)), listing(("A", 0)), "interactive.sections.0.rows"),
    (listing((None, 1), label="x" * 20), listing((None, 1), label="x" * 21), "interactive.label"),
    (listing((None, 1)), listing((None, 1), label=""), "interactive.label"),
    (listing((None, 1), header="Text"), listing((None, 1), media=Media()), "media"),
    (row(title="x" * 24), row(title="x" * 25), "interactive.sections.0.rows.0.title"),
    (row(id="x" * 200), row(id="x" * 201), "interactive.sections.0.rows.0.id"),
    (row(description="x" * 72), row(description="x" * 73), "interactive.sections.0.rows.0.description"),
    (link(label="x" * 20), link(label="x" * 21), "interactive.label"),
    (link(url="HTTP://a.example"), link(url="ftp://a.example"), "interactive.url"),
    (link(), link(url=""), "interactive.url"),
    (flow(label="x" * 30), flow(label="x" * 31), "interactive.label"),
    (flow(flow_id=None, flow_name="fault"), flow(flow_id=None), "interactive.flow"),
    (flow(), flow(flow_name="fault"), "interactive.flow"),
    (flow(mode="draft"), flow(mode="live"), "interactive.flow.mode"),
    (flow(flow_action="data_exchange"), flow(flow_action="jump"), "interactive.flow.flow_action"),
    (flow(flow_action="data_exchange"), flow(flow_action=["navigate"]), "interactive.flow.flow_action"),
    (flow(mode="draft"), flow(mode={"draft": 1}), "interactive.flow.mode"),
    (flow(flow_action_payload={"screen": "A"}), flow(flow_action_payload={"data": {}}),
     "interactive.flow.flow_action_payload"),
    (flow(), flow(screen="A"), "interactive.flow.screen"),
    (asks("location_request"), asks("location_request", header="Where"), "interactive.header"),
    (asks("location_request"), asks("location_request", footer="Where"), "interactive.footer"),
    (asks("contact_request"), asks("contact_request", media=Media()), "media"),
    (buttons(), asks("carousel"), "interactive.kind"),
    (buttons(), message("interactive", text="Which?"), "interactive"),
    (template("x"), message("template"), "template"),
    (template(name="x" * 512), template(name="x" * 513), "template.name"),
    (template(), template(language=None), "template.language"),
    (template("a    b"), template("a     b"), "template.components.0.parameters.0.text"),
    (template("a", "b"), template("a", "b\nc"), "template.components.0.parameters.1.text"),
    (template("a"), template(" "), "template.components.0.parameters.0.text"),
    (template("1" * 15, category="AUTHENTICATION"), template("1" * 16, category="AUTHENTICATION"),
     "template.components.0.parameters.0.text"),
    (template("1" * 16, category="UTILITY"), template("1" * 16, category="authentication"),
     "template.components.0.parameters.0.text"),
]  # fmt: skip


@pytest.mark.parametrize(("kept", "over", "path"), BOUNDS)
def test_a_bound_is_named_by_its_field(kept: Message, over: Message, path: str) -> None:
    assert paths(kept) == set()
    assert paths(over) == {path}


@pytest.mark.parametrize(
    "to",
    [Destination(), Destination(phone="447700900381"), Destination(phone="+0770"), Destination(user_id="gb.48"),
     Destination(user_id="GB.4 8"), Destination(chat_id="447700900381@c.us")],
)  # fmt: skip
def test_an_address_that_is_none_of_metas_is_refused(to: Destination) -> None:
    assert paths(message(text="Hello"), to) == {"to"}


@pytest.mark.parametrize(
    "to",
    [TO_PHONE, TO_USER, TO_GROUP, Destination(chat_id="Y2FwaQ"), Destination(user_id="GB.ENT.90317745562018844736")],
)
def test_numbers_users_and_groups_can_be_written_to(to: Destination) -> None:
    assert paths(message(text="Hello"), to) == set()


@pytest.mark.parametrize("category", ["AUTHENTICATION", "authentication"])
def test_an_authentication_template_needs_a_number(category: str) -> None:
    code = template("490712", category=category)
    assert paths(code, TO_USER) == {"to"}
    assert paths(code, Destination(phone=PHONE, user_id=BSUID)) == set()
    assert paths(template("490712", category="UTILITY"), TO_USER) == set()


@pytest.mark.parametrize("kind", ["location", "contact", "interactive", "reaction"])
def test_groups_take_texts_files_and_templates_only(kind: str) -> None:
    assert "type" in paths(message(kind), TO_GROUP)
    assert "type" in paths(message(kind), Destination(chat_id="Y2FwaQ"))


def test_named_and_numbered_values_do_not_mix() -> None:
    mixed = [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "parameter_name": "slot"}]
    parts = [{"type": "body", "parameters": mixed}]
    assert paths(template(components=parts)) == {"template.components.0.parameters"}


def test_a_header_of_a_template_needs_its_file() -> None:
    def parts(given: dict[str, str]) -> list[dict[str, Any]]:
        return [{"type": "header", "parameters": [{"type": "image", "image": given}]}]

    assert paths(template(components=parts({}))) == {"media"}
    assert paths(template(components=parts({"link": "https://a.example/1.png"}))) == set()
    with_file = template(components=parts({}))
    with_file.media = Media(mime_type="image/png")
    assert paths(with_file) == set()
    with_file.media = Media(mime_type="application/pdf")
    assert paths(with_file) == {"media.mimeType"}


def test_several_findings_stand_side_by_side() -> None:
    found = SENDER.problems(buttons(("a", "x" * 21), ("a", "x" * 21), text=""), TO_USER)
    assert found == {
        "text": ["is needed"],
        "interactive.buttons.0.title": ["is longer than 20 characters"],
        "interactive.buttons.1.title": ["is longer than 20 characters", "is used twice"],
        "interactive.buttons.1.id": ["is used twice"],
    }


@pytest.mark.parametrize("kind", list(MessageType))
def test_a_bare_message_of_any_type_has_words_against_it(kind: str) -> None:
    assert paths(message(kind), TO_PHONE)
