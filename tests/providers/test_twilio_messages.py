"""What an inbound Twilio webhook says: content, sender, context, referral; and what is no message at all."""

import json
from typing import Any

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.media_file import files_of
from models.message import Context, Location, Referral, Reply
from models.values import MediaState, MessageType
from providers.base import JSON, Delivery
from providers.events import Event, Ignored, Malformed, MessageArrived, Party, PreferenceChanged, ReactionChanged
from providers.twilio import PROVIDER
from tests.fixtures.twilio.webhooks import CUSTOMER, MEDIA, MESSAGE, SID, message, parse
from tests.support.normal_form import normal_form


def only(parameters: Any, **how: Any) -> Event:
    (event,) = parse(parameters, **how)
    return event


def test_a_text_has_no_time_and_its_sid_for_a_key() -> None:
    event = message(Body="hello", ProfileName="Jana")
    assert (event.content.type, event.content.text) == (MessageType.TEXT, "hello")
    assert (event.key, event.provider_message_id, event.at) == (f"m:{SID}", SID, None)
    assert event.party == Party(phone=CUSTOMER, name="Jana")
    assert event.business == "+14155550100"
    assert event.metadata is None


@pytest.mark.parametrize("alias", ["SmsMessageSid", "SmsSid"])
def test_the_older_names_of_the_sid_serve_where_the_newer_is_missing(alias: str) -> None:
    assert message(MessageSid=None, **{alias: "SM9"}, Body="x").key == "m:SM9"


def test_whitespace_within_a_text_is_kept_and_nuls_are_not() -> None:
    assert message(Body=" a\r\n\tb \x00").content.text == " a\r\n\tb "


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "button",
            (MessageType.BUTTON, Reply(kind="template_button", title="Yes", payload="yes_1")),
        ),
        (
            "interactive",
            (MessageType.INTERACTIVE, Reply(kind="button_reply", id="yes_1", title="Yes")),
        ),
        (None, (MessageType.BUTTON, Reply(kind="template_button", title="Yes", payload="yes_1"))),
    ],
)
def test_a_tap_on_a_button_is_a_reply(kind: str | None, expected: tuple[MessageType, Reply]) -> None:
    event = message(MessageType=kind, Body="Yes", ButtonText="Yes", ButtonPayload="yes_1")
    assert (event.content.type, event.content.reply) == expected
    assert event.content.text == "Yes"
    assert event.metadata is None


def test_a_button_without_text_takes_the_body_and_another_body_is_kept() -> None:
    assert message(Body="Yes", ButtonPayload="y").content.text == "Yes"
    both = message(Body="Something else", ButtonText="Yes", ButtonPayload="y")
    assert (both.content.text, both.metadata) == ("Yes", {"Body": "Something else"})


def test_a_list_reply_has_id_title_and_description() -> None:
    event = message(Body="Morning", ListId="am", ListTitle="Morning", ListDescription="9 to 11")
    assert event.content.type is MessageType.INTERACTIVE
    assert event.content.reply == Reply(kind="list_reply", id="am", title="Morning", description="9 to 11")
    assert message(Body="Morning", ListId="am").content.text == "Morning"


def test_a_flow_gives_its_values_and_broken_json_stays_text() -> None:
    event = message(Body="Sent", FlowData='{"rating":"5"}', InteractiveData='{"flowResponse":{"rating":"5"}}')
    assert event.content.reply == Reply(kind="nfm_reply", name="flow", title="Sent", response={"rating": "5"})
    assert event.metadata == {"InteractiveData": '{"flowResponse":{"rating":"5"}}'}
    broken = message(FlowData='{"rating":')
    assert broken.content.reply == Reply(kind="nfm_reply", name="flow", response='{"rating":')


def test_interactive_data_alone_is_a_reply_and_beside_a_button_it_is_not() -> None:
    alone = message(InteractiveData='{"flowResponse":{"a":1}}').content.reply
    assert alone == Reply(kind="nfm_reply", name="flow", response={"flowResponse": {"a": 1}})
    beside = message(InteractiveData="{}", ButtonText="Yes", ButtonPayload="y").content.reply
    assert beside == Reply(kind="template_button", title="Yes", payload="y")


def test_a_location_has_finite_coordinates() -> None:
    event = message(Latitude="-33.85", Longitude="151.21", Label="Hall", Address="2 Quay")
    assert event.content.location == Location(latitude=-33.85, longitude=151.21, name="Hall", address="2 Quay")


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [("-1.25E-4", -0.000125), ("5.15e+1", 51.5), ("51.50735091234567890123456789", 51.507350912345678), ("+7.", 7.0)],
)
def test_a_coordinate_may_be_spelled_as_programs_do(spelled: str, meant: float) -> None:
    content = message(Latitude=spelled, Longitude=spelled).content
    assert content.location == Location(latitude=meant, longitude=meant)


@pytest.mark.parametrize(
    ("latitude", "longitude"), [("91", "0"), ("0", "-180.5"), ("nan", "0"), ("inf", "0"), ("1e2", "0"), ("52", None)]
)
def test_what_is_no_place_is_a_text_and_its_coordinates_are_kept(latitude: str, longitude: str | None) -> None:
    event = message(Body="here", MessageType="location", Latitude=latitude, Longitude=longitude)
    assert (event.content.type, event.content.text, event.content.raw_type) == (MessageType.TEXT, "here", "location")
    assert (event.metadata or {})["Latitude"] == latitude
    assert (
        message(MessageType="location", Latitude=latitude, Longitude=longitude).content.type is MessageType.UNSUPPORTED
    )


@pytest.mark.parametrize(
    ("mime_type", "hint", "expected"),
    [
        ("image/jpeg", "image", MessageType.IMAGE),
        ("image/jpeg", None, MessageType.IMAGE),
        ("image/jpeg", "document", MessageType.DOCUMENT),
        ("image/webp", "sticker", MessageType.STICKER),
        ("image/webp", None, MessageType.STICKER),
        ("image/webp", "image", MessageType.IMAGE),
        ("audio/ogg", "audio", MessageType.AUDIO),
        ("video/mp4", None, MessageType.VIDEO),
        ("text/vcard", "contacts", MessageType.CONTACT),
        ("text/x-vcard", None, MessageType.CONTACT),
        ("text/plain", None, MessageType.DOCUMENT),
        ("application/pdf", "image", MessageType.DOCUMENT),
        ("IMAGE/PNG", None, MessageType.IMAGE),
        (None, "video", MessageType.VIDEO),
        (None, "contacts", MessageType.CONTACT),
        (None, "text", MessageType.DOCUMENT),
        (None, None, MessageType.DOCUMENT),
    ],
)
def test_the_media_type_judges_and_the_hint_helps(
    mime_type: str | None, hint: str | None, expected: MessageType
) -> None:
    event = message(NumMedia="1", MediaUrl0=f"{MEDIA}1", MediaContentType0=mime_type, MessageType=hint)
    assert event.content.type is expected


def test_a_file_waits_for_its_fetch_and_has_its_id() -> None:
    url = MEDIA + "a" * 32
    media = message(NumMedia="1", MediaUrl0=url, MediaContentType0="audio/ogg; codecs=opus").content.media
    assert media is not None
    assert (media.media_id, media.source_url, media.mime_type) == ("ME" + "a" * 32, url, "audio/ogg")
    assert (media.state, media.voice, media.url) == (MediaState.PENDING, True, None)


def test_a_media_type_with_parameters_is_kept_whole_besides() -> None:
    event = message(NumMedia="1", MediaUrl0=f"{MEDIA}1", MediaContentType0="audio/ogg; codecs=opus")
    assert event.metadata == {"MediaContentType0": "audio/ogg; codecs=opus"}


def test_several_files_are_one_message() -> None:
    files = {f"MediaUrl{index}": f"{MEDIA}{index}" for index in range(12)}
    kinds = {f"MediaContentType{index}": "image/jpeg" for index in range(12)}
    event = message(NumMedia="12", Body="all", **files, **kinds)
    first, others = event.content.media, event.content.more_media
    assert first is not None
    assert others is not None
    assert [first.source_url, *(one.source_url for one in others)] == list(files.values())
    assert [first.caption, *(one.caption for one in others)] == ["all"] + [None] * 11
    assert event.content.text is None
    assert event.metadata is None


def test_an_announced_file_without_an_address_has_failed_and_says_why() -> None:
    event = message(NumMedia="2", MediaUrl1=f"{MEDIA}1", MediaContentType1="image/png", MessageType="image")
    media, others = event.content.media, event.content.more_media or []
    assert media is not None
    assert (media.state, media.error) == (MediaState.FAILED, "no_media_url")
    assert [(one.state, one.error) for one in others] == [(MediaState.PENDING, None)]


@pytest.mark.parametrize(("count", "numbers"), [("2", (0, 2)), ("1", (1,)), ("2", (3, 11)), ("0", (0, 4))])
def test_files_that_are_all_there_may_be_numbered_with_gaps(count: str, numbers: tuple[int, ...]) -> None:
    files = {f"MediaUrl{number}": f"{MEDIA}{number}" for number in numbers}
    content = message(NumMedia=count, Body="both", MessageType="image", **files).content
    assert (content.type, content.media and content.media.caption) == (MessageType.IMAGE, "both")
    found = [(one.source_url, one.state) for one in files_of(content)]
    assert found == [(url, MediaState.PENDING) for url in files.values()]


@pytest.mark.parametrize(("count", "others"), [("999999999999", 9), ("-1", 0), ("two", 0), ("", 0), (None, 0)])
def test_an_absurd_count_of_files_is_not_believed(count: str | None, others: int) -> None:
    event = message(NumMedia=count, MediaUrl0=f"{MEDIA}1", MediaContentType0="image/png")
    assert event.content.media is not None
    assert len(event.content.more_media or []) == others


@pytest.mark.parametrize(
    ("body", "file_name", "caption"),
    [
        ("invoice_118.pdf", "invoice_118.pdf", None),
        ("My invoice 118.PDF", "My invoice 118.PDF", None),
        ("as discussed", None, "as discussed"),
        ("see below.\nThanks.pdf", None, "see below.\nThanks.pdf"),
        ("a/b.pdf", None, "a/b.pdf"),
        (None, None, None),
    ],
)
def test_the_body_of_a_document_is_its_name_or_its_caption(
    body: str | None, file_name: str | None, caption: str | None
) -> None:
    media = message(NumMedia="1", MediaUrl0=f"{MEDIA}1", MediaContentType0="application/pdf", Body=body).content.media
    assert media is not None
    assert (media.file_name, media.caption) == (file_name, caption)


def test_a_contact_card_is_a_file_to_fetch() -> None:
    content = message(NumMedia="1", MediaUrl0=f"{MEDIA}1", MediaContentType0="text/vcard", Body="my dentist").content
    assert content.media is not None
    assert (content.type, content.media.state, content.text) == (MessageType.CONTACT, MediaState.PENDING, "my dentist")
    assert content.contact is None


def test_an_unknown_type_with_words_is_a_text_and_without_them_a_placeholder() -> None:
    said = message(MessageType="order", Body="2 x tea", Novel="1")
    assert (said.content.type, said.content.text, said.content.raw_type) == (MessageType.TEXT, "2 x tea", "order")
    assert said.metadata == {"Novel": "1"}
    mute = message(MessageType="poll", Novel="1")
    assert (mute.content.type, mute.content.raw_type) == (MessageType.UNSUPPORTED, "poll")
    assert mute.metadata == {"Novel": "1"}
    assert message().content.type is MessageType.UNSUPPORTED


def test_a_reply_names_what_it_quotes_and_whose_that_is() -> None:
    sender = "whatsapp:GB.48213"
    event = message(Body="x", OriginalRepliedMessageSid="SM7", OriginalRepliedMessageSender=sender)
    assert event.context == Context(message_id="SM7", from_="GB.48213")
    assert message(Body="x").context is None


def test_forwarding_is_noted() -> None:
    assert message(Body="x", Forwarded="true").context == Context(forwarded=True)
    often = message(Body="x", Forwarded="true", FrequentlyForwarded="true").context
    assert often == Context(forwarded=True, frequently_forwarded=True)


def test_an_ad_is_kept_whole_and_a_click_id_is_never_made_up() -> None:
    event = message(
        Body="x",
        ReferralSourceId="1202",
        ReferralSourceType="ad",
        ReferralMediaUrl="https://media.example/ad.mp4",
        ReferralMediaContentType="video/mp4",
        ReferralNumMedia="1",
        ReferralNovel="kept",
    )
    assert event.referral == Referral(
        source_id="1202",
        source_type="ad",
        media_type="video",
        video_url="https://media.example/ad.mp4",
        raw={"ReferralMediaContentType": "video/mp4", "ReferralNovel": "kept", "ReferralNumMedia": "1"},
    )
    assert event.metadata is None


def test_a_count_of_ad_media_is_no_ad() -> None:
    event = message(Body="x", ReferralNumMedia="0")
    assert (event.referral, event.metadata) == (None, None)
    assert message(Body="x", ReferralCtwaClid="clid").referral == Referral(ctwa_clid="clid", raw=None)


@pytest.mark.parametrize(
    ("parameters", "party"),
    [
        ({"From": "whatsapp:GB.4821"}, Party(user_id="GB.4821")),
        ({"From": "whatsapp:GB.4821", "ExternalUserId": "whatsapp:GB.4821"}, Party(user_id="GB.4821")),
        ({"ExternalUserId": "whatsapp:GB.4821"}, Party(phone=CUSTOMER, user_id="GB.4821")),
        ({"ExternalUserIdentifier": "whatsapp:GB.4821"}, Party(phone=CUSTOMER, user_id="GB.4821")),
        ({"ExternalUserId": "GB.4821"}, Party(phone=CUSTOMER, user_id="GB.4821")),
        (
            {"From": "whatsapp:GB.4821", "ParentExternalUserId": "whatsapp:GB.ENT.99"},
            Party(user_id="GB.4821", parent_user_id="GB.ENT.99"),
        ),
        ({"From": "whatsapp:GB.ENT.99"}, Party(parent_user_id="GB.ENT.99")),
        ({"ProfileUsername": "@otter"}, Party(phone=CUSTOMER, username="otter")),
        ({"Username": "otter"}, Party(phone=CUSTOMER, username="otter")),
        ({"From": "whatsapp: 447700900201"}, Party(phone=CUSTOMER)),
        ({"From": "WhatsApp:+447700900201"}, Party(phone=CUSTOMER)),
        ({"From": "whatsapp:something new"}, Party(user_id="something new")),
        ({"From": "", "WaId": "447700900201"}, Party(phone=CUSTOMER)),
        ({"From": "whatsapp:GB.4821", "WaId": "447700900201"}, Party(user_id="GB.4821")),
        ({"ProfileName": ""}, Party(phone=CUSTOMER)),
    ],
)
def test_a_sender_is_known_by_whatever_is_disclosed(parameters: dict[str, str], party: Party) -> None:
    assert message(Body="x", **parameters).party == party


def test_another_spelling_of_the_number_is_kept() -> None:
    assert message(Body="x", From="whatsapp:+5511987654321", WaId="5511987654321").metadata is None
    assert message(Body="x", From="whatsapp:+5511987654321", WaId="551187654321").metadata == {"WaId": "551187654321"}


def test_a_second_user_id_is_kept_and_the_answer_goes_to_the_first() -> None:
    event = message(Body="x", From="whatsapp:GB.1", ExternalUserId="whatsapp:GB.2")
    assert event.party.user_id == "GB.1"
    assert event.metadata == {"ExternalUserId": "whatsapp:GB.2"}


def channel_metadata(**context: Any) -> str:
    return json.dumps({"type": "whatsapp", "data": {"context": context}})


def test_channel_metadata_fills_in_what_is_missing_outside() -> None:
    event = message(
        Body="Yes", ChannelMetadata=channel_metadata(ButtonText="Yes", ButtonPayload="y", ProfileName="Jana")
    )
    assert event.content.reply == Reply(kind="template_button", title="Yes", payload="y")
    assert event.party.name == "Jana"
    assert (
        message(Body="x", ProfileName="Ana", ChannelMetadata=channel_metadata(ProfileName="Jana")).party.name == "Ana"
    )


def test_channel_metadata_is_kept_decoded_and_may_be_anything() -> None:
    told = channel_metadata(Novel="1")
    assert message(Body="x", ChannelMetadata=told).metadata == {"ChannelMetadata": json.loads(told)}
    for odd in ("{", "[1]", "7", '{"data":[]}', '{"data":{"context":{"ButtonText":{"a":1}}}}'):
        event = message(Body="x", ChannelMetadata=odd)
        assert (event.content.type, event.content.text) == (MessageType.TEXT, "x")


def test_channel_metadata_cannot_change_whose_message_it_is() -> None:
    event = message(
        Body="x", ChannelMetadata=channel_metadata(MessageSid="SM9", From="whatsapp:+447700900299", Body="y")
    )
    assert (event.provider_message_id, event.party.phone, event.content.text) == (SID, CUSTOMER, "x")


def test_unknown_parameters_are_kept_empty_ones_are_absent_and_names_are_storable() -> None:
    event = message(Body="x", Novel="1", FromCity="", **{"$where": "1", "a.b": "2", "": "3"})
    assert event.metadata == {"Novel": "1", "＄where": "1", "a.b": "2", "": "3"}
    assert bson.encode({"metadata": event.metadata})


def test_a_repeated_parameter_counts_by_its_first_value_and_keeps_all() -> None:
    body = b"MessageSid=SM1&From=whatsapp%3A%2B447700900201&Body=a&Body=b&Body=a"
    (event,) = PROVIDER.parse(Delivery(body=body, content_type="application/x-www-form-urlencoded"))
    assert isinstance(event, MessageArrived)
    assert (event.content.text, event.metadata) == ("a", {"Body": ["a", "b"]})


def test_a_reaction_is_no_bubble() -> None:
    event = only({**MESSAGE, "MessageType": "reaction", "Body": "👍🏽", "OriginalRepliedMessageSid": "SM7"})
    assert isinstance(event, ReactionChanged)
    assert (event.key, event.target_id, event.emoji, event.party.phone) == (f"r:{SID}", "SM7", "👍🏽", CUSTOMER)
    removed = only({**MESSAGE, "MessageType": "reaction", "Body": "", "OriginalRepliedMessageSid": "SM7"})
    assert isinstance(removed, ReactionChanged)
    assert removed.emoji is None


@pytest.mark.parametrize(
    "changes",
    [{"Body": "👍"}, {"Body": "I like it", "OriginalRepliedMessageSid": "SM7"}],
    ids=["without a target", "with words"],
)
def test_what_only_resembles_a_reaction_stays_a_message(changes: dict[str, str]) -> None:
    event = message(MessageType="reaction", **changes)
    assert (event.content.type, event.content.text, event.content.raw_type) == (
        MessageType.TEXT,
        changes["Body"],
        "reaction",
    )


@pytest.mark.parametrize(("keyword", "value"), [("STOP", "stop"), ("START", "resume")])
def test_an_opt_out_keyword_is_a_message_and_a_preference(keyword: str, value: str) -> None:
    said, preferred = parse({**MESSAGE, "Body": keyword, "OptOutType": keyword})
    assert isinstance(said, MessageArrived)
    assert isinstance(preferred, PreferenceChanged)
    assert (preferred.category, preferred.value, preferred.key) == ("all", value, f"p:{SID}:{value}")
    assert preferred.party == said.party


def test_a_call_for_help_changes_nothing() -> None:
    assert isinstance(only({**MESSAGE, "Body": "HELP", "OptOutType": "HELP"}), MessageArrived)


@pytest.mark.parametrize(
    "addresses",
    [
        {"From": "+15035550142", "To": "+14155550101"},
        {"From": "22395", "To": "+14155550101"},
        {"From": "messenger:1029", "To": "messenger:77"},
        {"From": "rcs:agent", "To": "rcs:+447700900201"},
    ],
)
def test_other_channels_on_the_same_url_are_ignored(addresses: dict[str, str]) -> None:
    event = only({**MESSAGE, **addresses, "Body": "x"})
    assert isinstance(event, Ignored)
    assert (event.reason, event.key) == ("other_channel", f"m:{SID}")
    assert (event.metadata or {})["Body"] == "x"


@pytest.mark.parametrize(
    "changes",
    [{"To": "+14155550100"}, {"From": CUSTOMER}, {"From": CUSTOMER, "To": "+14155550100", "ChannelPrefix": "whatsapp"}],
)
def test_one_mark_of_whatsapp_is_enough(changes: dict[str, str]) -> None:
    assert message(Body="x", **changes).party.phone == CUSTOMER


@pytest.mark.parametrize(
    ("parameters", "kind", "reason"),
    [
        ({"From": "whatsapp:+447700900201", "Body": "x"}, Malformed, "message_without_sid"),
        ({"MessageStatus": "sent", "To": "whatsapp:+447700900201"}, Malformed, "message_without_sid"),
        ({"MessageSid": SID, "To": "whatsapp:+14155550100", "Body": "x"}, Malformed, "message_without_sender"),
        ({"MessageSid": SID}, Malformed, "message_without_sender"),
        ({"CallSid": "CA1", "CallStatus": "ringing"}, Ignored, "unknown_shape"),
        ({"Sid": "NO1", "Level": "ERROR", "Payload": "{}"}, Ignored, "unknown_shape"),
    ],
)
def test_what_is_no_message_says_why(parameters: dict[str, str], kind: type[Event], reason: str) -> None:
    event = only(parameters)
    assert isinstance(event, kind)
    assert getattr(event, "reason") == reason  # noqa: B009  both kinds have one, their common class has not


def test_an_unknown_shape_is_kept() -> None:
    assert only({"CallSid": "CA1", "From": "+1"}).metadata == {"CallSid": "CA1", "From": "+1"}


@pytest.mark.parametrize("kind", [JSON, "application/x-www-form-urlencoded"])
def test_an_empty_body_is_ignored(kind: str) -> None:
    (event,) = PROVIDER.parse(Delivery(body=b"", content_type=kind))
    assert isinstance(event, Ignored)
    assert event.reason == "empty"


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"\xff", "application/x-www-form-urlencoded", "not_a_form"),
        (b"Body=%ff", "application/x-www-form-urlencoded", "not_a_form"),
        (b"a=1&" * 1001, "application/x-www-form-urlencoded", "not_a_form"),
        (b"{", JSON, "not_json"),
        (b"Body=x", JSON, "not_json"),
    ],
)
def test_bytes_that_cannot_be_read_are_malformed(body: bytes, kind: str, reason: str) -> None:
    (event,) = PROVIDER.parse(Delivery(body=body, content_type=kind))
    assert isinstance(event, Malformed)
    assert event.reason == reason


def json_events(document: Any) -> list[Event]:
    return PROVIDER.parse(Delivery(body=json.dumps(document).encode(), content_type=JSON))


def test_json_with_the_same_names_is_read_like_a_form() -> None:
    form, document = parse({**MESSAGE, "Body": "hi"}), json_events({**MESSAGE, "Body": "hi"})
    assert normal_form(form) == normal_form(document)


def test_several_json_items_each_have_an_event() -> None:
    events = json_events([{**MESSAGE, "Body": "a"}, {"type": "com.example", "data": {}}, 7])
    assert [(type(event).__name__, event.path) for event in events] == [
        ("MessageArrived", "body.0"),
        ("Ignored", "body.1"),
        ("Ignored", "body.2"),
    ]


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["$x", "a\x00", SID]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)


ODD_PLACES = (
    *sorted(MESSAGE), "Body", "FlowData", "ButtonText", "ListId", "ChannelMetadata", "Latitude", "MediaUrl0",
    "MediaContentType0", "ReferralSourceId", "MessageStatus", "OptOutType",
)  # fmt: skip


@settings(max_examples=300, deadline=None, database=None)
@given(changes=st.dictionaries(st.sampled_from(ODD_PLACES), JSON_VALUES), whole=JSON_VALUES)
def test_any_json_gives_storable_events(changes: dict[str, Any], whole: Any) -> None:
    for document in ({**MESSAGE, **changes}, whole, [changes, whole]):
        events = json_events(document)
        assert events
        assert bson.encode({"events": normal_form(events)})
