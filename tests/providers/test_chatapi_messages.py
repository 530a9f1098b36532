"""ChatAPI messages: who wrote to whom, and what it says."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from models.message import Context
from models.values import Direction, MediaState, MessageStatus, MessageType, SenderType
from providers.events import Ignored, Malformed, MessageArrived, MessageRevoked, Party, ReactionChanged
from tests.providers.chatapi_bodies import (
    AT,
    CHAT,
    FILE,
    GROUP,
    HIDDEN,
    ID,
    MEMBER,
    OWN,
    OWN_ID,
    arrived,
    body,
    echo,
    item,
    only,
    parse,
)

JANA = Party(phone="+447700900201", chat_id=CHAT, name="Jana Weber")


def echoed(**more: Any) -> MessageArrived:
    return only(parse(body(messages=[echo(**more)])), MessageArrived)


def test_a_private_message_is_from_the_number_in_its_chat_id() -> None:
    message = arrived()
    assert message.party == JANA
    assert (message.direction, message.sender_type, message.status) == (Direction.INBOUND, SenderType.CUSTOMER, None)
    assert (message.provider_message_id, message.key) == (ID, f"m:{ID}")
    assert message.at == datetime.fromtimestamp(AT, UTC)
    assert message.metadata is None


@pytest.mark.parametrize(
    "key",
    ["time", "self", "author", "chatName", "messageNumber", "senderName", "chatId", "fromMe", "type"],
)
@pytest.mark.parametrize("value", [..., None])
def test_every_field_but_the_id_may_be_missing(key: str, value: object) -> None:
    message = arrived(**{key: value})
    assert message.party.phone == JANA.phone
    assert message.direction is Direction.INBOUND
    assert message.content.text == "hello"


@pytest.mark.parametrize("value", [True, 1, "1", "true", None])
def test_whether_it_is_ours_is_read_in_every_spelling_and_else_from_the_id(value: object) -> None:
    assert echoed(fromMe=value).direction is Direction.OUTBOUND


@pytest.mark.parametrize("value", [False, 0, "0", "false"])
def test_a_message_that_is_said_not_to_be_ours_is_the_customers(value: object) -> None:
    assert arrived(fromMe=value).direction is Direction.INBOUND


@pytest.mark.parametrize("time", [AT, str(AT), AT * 1000])
def test_time_is_seconds_or_milliseconds(time: object) -> None:
    assert arrived(time=time).at == datetime.fromtimestamp(AT, UTC)


def test_a_time_nobody_can_read_is_kept_as_it_came() -> None:
    message = arrived(time="yesterday")
    assert message.at is None
    assert message.metadata == {"time": "yesterday"}


@pytest.mark.parametrize("own_id", ["gBGGSRVVVQASAgkEXAMPLE-10", "wamid.HBgM=", "aB3_x-", "Z" * 300])
def test_an_opaque_id_is_kept_whole_and_not_taken_apart(own_id: str) -> None:
    message = arrived(id=own_id, fromMe=...)
    assert message.provider_message_id == own_id
    assert message.direction is Direction.INBOUND


@pytest.mark.parametrize(
    ("sender_name", "chat_name", "name"),
    [
        ("Jana", "Jana W. (shop)", "Jana"),
        (CHAT, "Jana W.", "Jana W."),
        ("447700900201", "+44 7700 900201", None),
        ("\u202a+44\u00a07700\u00a0900201\u202c", None, None),
        ("", "Jana", "Jana"),
        ("Agent 007", None, "Agent 007"),
        (7, None, "7"),
        ({"odd": 1}, "Jana", "Jana"),
    ],
)
def test_a_name_is_no_name_where_it_only_repeats_the_number(sender_name: object, chat_name: object, name: str) -> None:
    assert arrived(senderName=sender_name, chatName=chat_name).party.name == name


def test_another_title_of_the_chat_is_kept() -> None:
    assert arrived(chatName="Jana W. (shop)").metadata == {"chatName": "Jana W. (shop)"}
    assert arrived(chatName="+44 7700 900201").metadata is None


def test_a_hidden_number_is_not_made_up_from_a_lid() -> None:
    message = arrived(id=f"false_{HIDDEN}_3EB0", chatId=HIDDEN, author=HIDDEN)
    assert message.party == Party(chat_id=HIDDEN, name="Jana Weber")


def test_a_lid_chat_learns_the_number_that_its_author_discloses() -> None:
    assert arrived(chatId=HIDDEN).party == Party(phone=JANA.phone, chat_id=HIDDEN, name="Jana Weber")


def test_a_customer_of_1msgs_is_known_by_user_id_and_name_too() -> None:
    message = arrived(authorBsuid="GB.48213907715562204913", authorUserName="jana.w")
    assert message.party == replace(JANA, user_id="GB.48213907715562204913", username="jana.w")
    assert message.metadata is None


@pytest.mark.parametrize("more", [{}, {"authorBsuid": "GB.48213907715562204913"}])
def test_who_hides_the_number_at_1msg_is_known_by_the_user_id_in_the_chat_id(more: dict[str, str]) -> None:
    chat = "GB.48213907715562204913@lid"
    party = arrived(id="wamid.HBgM=", chatId=chat, author=chat, **more).party
    assert (party.user_id, party.chat_id, party.phone) == ("GB.48213907715562204913", chat, None)


def test_the_businesss_own_user_id_is_not_the_customers() -> None:
    assert echoed(authorBsuid="GB.1", authorUserName="desk").party.user_id is None
    assert echoed(authorBsuid="GB.1").metadata is not None


@pytest.mark.parametrize("told", ["x", 7, "", {}, "GB.", "gb.48"])
def test_what_is_no_user_id_is_kept_apart(told: object) -> None:
    message = arrived(authorBsuid=told)
    assert message.party == JANA
    assert message.metadata == {"authorBsuid": told}


def test_without_a_chat_it_is_the_authors_unless_we_wrote_it() -> None:
    assert arrived(id="opaque", chatId=None).party == JANA
    only(parse(body(messages=[echo(id="opaque", chatId=None)])), Malformed)


def test_bare_digits_are_a_persons_chat() -> None:
    told = arrived(chatId=447700900201, author="447700900201", id="opaque")
    assert told.party == JANA


def test_a_group_is_the_party_and_its_member_the_author() -> None:
    message = arrived(id=f"false_{GROUP}_3EB0_{MEMBER}", chatId=GROUP, author=MEMBER, chatName="Allotment club")
    assert message.group_id == GROUP
    assert message.party == Party(chat_id=GROUP, name="Allotment club")
    assert message.author == Party(phone="+447700900202", chat_id=MEMBER, name="Jana Weber")
    assert message.metadata is None


def test_a_group_message_without_an_author_has_the_one_of_its_id() -> None:
    message = arrived(id=f"false_{GROUP}_3EB0_{MEMBER}", chatId=GROUP, author=...)
    assert message.author == Party(phone="+447700900202", chat_id=MEMBER, name="Jana Weber")
    assert message.party.name is None


def test_a_private_message_has_no_author_apart() -> None:
    assert arrived().author is None
    assert arrived().group_id is None


def test_what_was_typed_on_the_phone_is_outbound_to_the_chat() -> None:
    message = echoed(chatName="Jana")
    assert (message.direction, message.sender_type) == (Direction.OUTBOUND, SenderType.BUSINESS_APP)
    assert message.status is MessageStatus.SENT
    assert message.party == Party(phone=JANA.phone, chat_id=CHAT, name="Jana")
    assert message.business == "+447700900100"
    assert message.metadata == {"senderName": "Shop desk"}


def test_what_the_api_sent_comes_under_the_id_of_its_send_and_says_so() -> None:
    message = echoed(self=1)
    assert message.provider_message_id == OWN_ID
    assert message.direction is Direction.OUTBOUND
    assert (message.metadata or {})["self"] == 1


def test_an_echo_in_a_group_has_no_author_and_names_the_business() -> None:
    message = echoed(id=f"true_{GROUP}_3EB0", chatId=GROUP, chatName="Allotment club")
    assert (message.author, message.business, message.group_id) == (None, "+447700900100", GROUP)
    assert message.party == Party(chat_id=GROUP, name="Allotment club")


def test_an_echo_with_the_chat_as_its_author_does_not_take_the_customer_for_the_business() -> None:
    assert echoed(author=CHAT).business is None


@pytest.mark.parametrize(("word", "status"), [("viewed", "read"), ("delivered", "delivered"), ("odd", "sent")])
def test_an_echo_is_as_far_as_it_says(word: str, status: str) -> None:
    assert echoed(ack=word).status == status


@pytest.mark.parametrize(
    ("chat", "reason"),
    [("status@broadcast", "status_broadcast"), ("449@broadcast", "broadcast"), ("1203@newsletter", "broadcast")],
)
def test_a_status_is_no_message_to_us(chat: str, reason: str) -> None:
    ignored = only(parse(body(messages=[item(chatId=chat)])), Ignored)
    assert (ignored.reason, ignored.key) == (reason, f"m:{ID}")


@pytest.mark.parametrize("body_", ["", "  ", "<b>\x00", "👋🏽"])
def test_text_is_passed_on_as_it_is(body_: str) -> None:
    content = arrived(body=body_).content
    assert (content.type, content.text) == (MessageType.TEXT, body_)


@pytest.mark.parametrize(
    ("kind", "type_", "voice"),
    [
        ("image", "image", None),
        ("video", "video", None),
        ("audio", "audio", None),
        ("ptt", "audio", True),
        ("voice", "audio", True),
        ("document", "document", None),
        ("sticker", "sticker", None),
        ("IMAGE", "image", None),
    ],
)
def test_a_file_waits_for_its_fetch_at_the_vendors_address(kind: str, type_: str, voice: bool | None) -> None:
    content = arrived(type=kind, body=FILE + "?sig=1", caption="See page 3").content
    assert content.type == type_
    assert content.media is not None
    assert content.media.source_url == FILE + "?sig=1"
    assert (content.media.voice, content.media.caption) == (voice, "See page 3")
    assert (content.media.file_name, content.media.state) == ("9948c645.pdf", MediaState.PENDING)


@pytest.mark.parametrize(
    ("caption", "name", "shown"),
    [
        ("invoice 118.pdf", "invoice 118.pdf", None),
        ("../../etc/pass.pdf", "9948c645.pdf", "../../etc/pass.pdf"),
        ("the bill, at 5.30pm", "9948c645.pdf", "the bill, at 5.30pm"),
        ("two\nlines.pdf", "9948c645.pdf", "two\nlines.pdf"),
        ("", "9948c645.pdf", None),
    ],
)
def test_a_documents_caption_is_its_name_where_it_looks_like_it(caption: str, name: str, shown: str | None) -> None:
    media = arrived(type="document", body=FILE, caption=caption).content.media
    assert media is not None
    assert (media.file_name, media.caption) == (name, shown)


def test_a_photos_caption_is_never_its_name() -> None:
    media = arrived(type="image", body="https://files.example/a%20b.jpg", caption="x.jpg").content.media
    assert media is not None
    assert (media.file_name, media.caption) == ("a b.jpg", "x.jpg")


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ("/9j/4AAQSkZJRg", "no_media_url"),
        (None, "no_media_url"),
        ("", "no_media_url"),
        ({"url": FILE}, "no_media_url"),
        ("http://files.example/a.mp4", "media_url_not_https"),
        ("file:///etc/passwd", "no_media_url"),
        ("https://", "no_media_url"),
        ("https://a b/c", "no_media_url"),
    ],
)
def test_a_file_without_a_safe_address_fails_openly_and_loses_nothing(told: object, error: str) -> None:
    message = arrived(type="video", body=told, caption="Noise at 0:12")
    media = message.content.media
    assert media is not None
    assert (media.source_url, media.state, media.error) == (None, MediaState.FAILED, error)
    assert media.caption == "Noise at 0:12"
    assert (message.metadata or {}).get("body") == told


@pytest.mark.parametrize("place", ["52.5;-13.4", "52.5,-13.4", "52.5 -13.4", " 52.5 ; -13.4 ", "+52.50,-13.40"])
def test_a_place_is_latitude_and_longitude_whatever_stands_between(place: str) -> None:
    location = arrived(type="location", body=place).content.location
    assert location is not None
    assert (location.latitude, location.longitude) == (52.5, -13.4)


@pytest.mark.parametrize("place", ["", "52.5", "nan;nan", "91;0", "0;181", "52.5;13.4;9", "52.5-13.4", None, [52.5, 1]])
def test_a_place_nobody_can_read_becomes_a_placeholder_with_its_words(place: object) -> None:
    message = arrived(type="location", body=place)
    assert (message.content.type, message.content.raw_type) == (MessageType.UNSUPPORTED, "location")
    assert (message.metadata or {}).get("body") == place


ONE = "BEGIN:VCARD\nVERSION:3.0\nN:Boer;Piet;;;\nFN:Piet Boer\nTEL;waid=447700900234:07700 900234\nEND:VCARD"
TWO = "begin:vcard\r\nN:Boer\\, jr;Anna\r\nitem1.TEL;type=CELL:+44 7700\r\n  900235\r\nTEL:123456\r\nend:vcard"


@pytest.mark.parametrize("cards", [f"{ONE}\n{TWO}", [ONE, TWO], json.dumps([ONE, TWO])])
def test_several_cards_are_read_however_they_are_joined(cards: object) -> None:
    content = arrived(type="multi_vcard", body=cards).content
    assert content.type is MessageType.CONTACT
    assert [(one.name, one.phone_number) for one in content.contacts or []] == [
        ("Piet Boer", "+447700900234"),
        ("Anna Boer, jr", "+447700900235"),
    ]
    assert content.contact is not None
    assert content.contact.vcard == ONE


def test_one_card_stands_alone_and_keeps_a_number_it_cannot_read() -> None:
    content = arrived(type="vcard", body="BEGIN:VCARD\nFN:Desk\nTEL:ext. 12\nEND:VCARD").content
    assert content.contacts is None
    assert content.contact is not None
    assert (content.contact.name, content.contact.phone_number) == ("Desk", "ext. 12")


@pytest.mark.parametrize("cards", ["", "Piet Boer", "BEGIN:VCARD\nFN:x", "[", [], {}, None])
def test_what_is_no_card_becomes_a_placeholder(cards: object) -> None:
    assert arrived(type="vcard", body=cards).content.type is MessageType.UNSUPPORTED


@pytest.mark.parametrize("kind", ["call_log", "request_welcome"])
def test_what_happened_without_words_is_a_note_in_the_chat(kind: str) -> None:
    message = arrived(type=kind, body="[Call]" if kind == "call_log" else "")
    assert (message.content.type, message.content.raw_type) == (MessageType.SYSTEM, kind)
    assert message.content.system == {"kind": kind}
    assert message.sender_type is SenderType.CUSTOMER


@pytest.mark.parametrize(
    ("kind", "meta", "type_", "reply"),
    [
        ("buttons_response", None, "interactive", ("button_reply", None, "Yes", None)),
        ("list_response", None, "interactive", ("list_reply", None, "Yes", None)),
        ("interactive", {"list_reply": {"id": "a", "title": "Yes"}}, "interactive", ("list_reply", "a", "Yes", None)),
        (
            "interactive",
            {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "b"}}},
            "interactive",
            ("button_reply", "b", "Yes", None),
        ),
        ("interactive", {"button_reply": {"id": 7}}, "interactive", ("button_reply", "7", "Yes", None)),
        ("button", {"payload": "P"}, "button", ("template_button", None, "Yes", "P")),
        ("button", {"button": {"payload": "P"}}, "button", ("template_button", None, "Yes", "P")),
        ("button", None, "button", ("template_button", None, "Yes", None)),
    ],
)
@pytest.mark.parametrize("key", ["meta", "metadata"])
def test_a_tap_is_read_with_what_is_told_of_it(
    kind: str, meta: object, type_: str, reply: tuple[str | None, ...], key: str
) -> None:
    content = arrived(type=kind, body="Yes", **{key: meta}).content
    assert (content.type, content.text) == (type_, "Yes")
    assert content.reply is not None
    said = content.reply
    assert (said.kind, said.id, said.title, said.payload) == reply


def test_an_interactive_answer_without_details_keeps_its_words() -> None:
    message = arrived(type="interactive", body="Morning slot", meta={"novel": 1})
    assert (message.content.type, message.content.text, message.content.reply) == ("interactive", "Morning slot", None)
    assert message.metadata == {"meta": {"novel": 1}}


def test_details_that_the_reply_does_not_hold_are_kept() -> None:
    known, more = {"id": "a", "title": "Yes"}, {"list_reply": {"id": "a", "section": "s"}}
    assert arrived(type="interactive", body="Yes", meta={"list_reply": known}).metadata is None
    assert arrived(type="interactive", body="Yes", meta=more).metadata == {"meta": more}


@pytest.mark.parametrize(("told", "read"), [('{"a": 1}', {"a": 1}), ("no json", "no json"), ({"a": 1}, {"a": 1})])
def test_a_form_returns_what_is_in_its_string(told: object, read: object) -> None:
    content = arrived(type="interactive", body="Sent", meta={"nfm_reply": {"response_json": told}}).content
    assert content.reply is not None
    assert (content.reply.kind, content.reply.response) == ("nfm_reply", read)


def test_an_answer_about_calls_keeps_its_details() -> None:
    reply = arrived(type="call_permission_reply", body="", meta={"response": "accept"}).content.reply
    assert reply is not None
    assert (reply.kind, reply.response) == ("call_permission_reply", {"response": "accept"})


@pytest.mark.parametrize("kind", ["order", "product", "unsupported", "poll_creation", "x" * 500])
def test_a_type_nobody_knows_becomes_a_placeholder_that_holds_everything(kind: str) -> None:
    message = arrived(type=kind, body="words", caption="more", novel={"a": [1]})
    assert (message.content.type, message.content.raw_type) == (MessageType.UNSUPPORTED, kind)
    assert message.metadata == {"body": "words", "caption": "more", "novel": {"a": [1]}}


@pytest.mark.parametrize(("told", "text"), [(42, "42"), (12.5, "12.5"), (0, "0"), ("", "")])
def test_a_text_that_came_as_a_number_is_a_text(told: object, text: str) -> None:
    content = arrived(body=told).content
    assert (content.type, content.text) == (MessageType.TEXT, text)


def test_a_chat_without_words_becomes_a_placeholder() -> None:
    assert arrived(body=None).content.type is MessageType.UNSUPPORTED


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("gp2", "group_event"),
        ("e2e_notification", "internal_type"),
        ("notification_template", "internal_type"),
        ("ciphertext", "not_decrypted"),
    ],
)
def test_whatsapps_own_notes_are_no_messages(kind: str, reason: str) -> None:
    assert only(parse(body(messages=[item(type=kind, body="")])), Ignored).reason == reason


def test_a_revoked_message_revokes_itself() -> None:
    revoked = only(parse(body(messages=[item(type="revoked", body=None)])), MessageRevoked)
    assert (revoked.target_id, revoked.key, revoked.party) == (ID, f"d:{ID}", JANA)


@pytest.mark.parametrize(
    ("more", "emoji"),
    [
        ({"body": "👍", "quotedMsgId": OWN_ID}, "👍"),
        ({"body": "", "quotedMsgId": OWN_ID}, None),
        ({"body": "", "meta": {"reaction": {"message_id": OWN_ID, "emoji": "👍"}}}, "👍"),
    ],
)
def test_a_reaction_is_no_message_but_changes_its_target(more: dict[str, Any], emoji: str | None) -> None:
    reaction = only(parse(body(messages=[item(type="reaction", **more)])), ReactionChanged)
    assert (reaction.target_id, reaction.emoji, reaction.party) == (OWN_ID, emoji, JANA)


def test_a_members_reaction_is_the_members() -> None:
    told = item(type="reaction", body="👍", quotedMsgId=OWN_ID, chatId=GROUP, author=MEMBER)
    assert only(parse(body(messages=[told])), ReactionChanged).party.chat_id == MEMBER


@pytest.mark.parametrize(
    ("quoted", "sender"),
    [
        (OWN_ID, None),
        (ID, "+447700900201"),
        (f"false_{GROUP}_3EB0_{MEMBER}", "+447700900202"),
        (f"false_{GROUP}_3EB0", None),
        (f"false_{HIDDEN}_3EB0", HIDDEN),
        ("gBGGexample", None),
    ],
)
def test_a_quoted_message_is_named_with_its_sender_where_the_id_tells(quoted: str, sender: str | None) -> None:
    message = arrived(quotedMsgId=quoted, quotedMsgBody="Blue or red?", quotedMsgType="chat")
    assert message.context == Context(message_id=quoted, from_=sender)
    assert message.metadata == {"quotedMsgBody": "Blue or red?", "quotedMsgType": "chat"}


@pytest.mark.parametrize("value", [1, True, "1", "true"])
def test_a_forwarded_message_says_so(value: object) -> None:
    assert arrived(isForwarded=value).context == Context(forwarded=True)


@pytest.mark.parametrize("value", [0, False, None, "0", ...])
def test_a_message_that_answers_nothing_has_no_context(value: object) -> None:
    assert arrived(isForwarded=value).context is None


def test_what_no_field_holds_is_kept() -> None:
    message = arrived(messageNumber=3101, novel="x", metadata={"a": None}, isForwarded="maybe", ack="read", self=1)
    assert message.metadata == {
        "self": 1,
        "messageNumber": 3101,
        "novel": "x",
        "metadata": {"a": None},
        "isForwarded": "maybe",
        "ack": "read",
    }


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("text", "item_not_an_object"),
        (item(id=None), "message_without_id"),
        (item(id="opaque", chatId=None, author=None), "message_without_chat"),
        (item(type="reaction"), "reaction_without_target"),
    ],
)
def test_an_item_that_cannot_be_read_fails_alone(broken: object, reason: str) -> None:
    first, second, third = parse(body(messages=[item(), broken, item(id="next")]))
    assert isinstance(second, Malformed)
    assert (second.path, second.reason) == ("messages.1", reason)
    assert [type(one) for one in (first, third)] == [MessageArrived, MessageArrived]


def test_the_own_number_in_another_chat_is_not_the_customers() -> None:
    assert echoed(author=OWN, chatId=HIDDEN, id="opaque").party == Party(chat_id=HIDDEN)


def test_a_type_that_is_no_word_is_kept() -> None:
    assert arrived(type={"odd": 1}).metadata == {"type": {"odd": 1}}
