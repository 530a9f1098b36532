"""Status callbacks of Twilio: every word, every reason, whichever parameters are there."""

import itertools

import pytest

from models.delivery_status import RANK
from models.message import MessageError
from models.values import MessageStatus
from providers.events import Ignored, MessageArrived, Party, PreferenceChanged, StatusChanged
from providers.twilio.errors import TITLES
from providers.twilio.statuses import STATES
from tests.fixtures.twilio.webhooks import CUSTOMER, MESSAGE, SID, STATUS, parse, status

#: The ranks of twilio.md 6.3: what comes later must never be less than what came before.
PROGRESS = [["accepted", "scheduled"], ["queued"], ["sending"], ["sent"], ["delivered"], ["read"]]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("accepted", MessageStatus.ACCEPTED),
        ("scheduled", MessageStatus.ACCEPTED),
        ("queued", MessageStatus.ACCEPTED),
        ("sending", MessageStatus.ACCEPTED),
        ("sent", MessageStatus.SENT),
        ("partially_delivered", MessageStatus.SENT),
        ("delivered", MessageStatus.DELIVERED),
        ("read", MessageStatus.READ),
        ("undelivered", MessageStatus.FAILED),
        ("failed", MessageStatus.FAILED),
        ("canceled", MessageStatus.CANCELED),
    ],
)
def test_every_word_of_twilio_is_one_of_ours(word: str, expected: MessageStatus) -> None:
    event = status(MessageStatus=word)
    assert (event.status, event.provider_status, event.key) == (expected, word, f"s:{SID}:{word}")
    assert (event.provider_message_id, event.at, event.error) == (SID, None, None)
    assert event.party == Party(phone=CUSTOMER)


def test_every_word_has_its_case() -> None:
    assert len(STATES) == 11


def test_no_later_word_means_less_than_an_earlier_one() -> None:
    for earlier, later in itertools.pairwise(PROGRESS):
        for one, other in itertools.product(earlier, later):
            assert RANK[STATES[one]] <= RANK[STATES[other]]


def test_no_callback_pretends_that_the_message_is_still_with_us() -> None:
    """Our own queued and sending are the send's business: a callback proves that Twilio has the message."""
    assert all(RANK[state] >= RANK[MessageStatus.ACCEPTED] > RANK[MessageStatus.UNKNOWN] for state in STATES.values())


def test_an_unknown_word_is_kept() -> None:
    (event,) = parse({**STATUS, "MessageStatus": "pondering"})
    assert isinstance(event, Ignored)
    assert (event.reason, event.key) == ("unknown_status", f"s:{SID}:pondering")
    assert (event.metadata or {})["MessageStatus"] == "pondering"


def test_sid_and_status_are_enough() -> None:
    (event,) = parse({"MessageSid": SID, "MessageStatus": "read"})
    assert isinstance(event, StatusChanged)
    assert (event.status, event.party, event.account) == (MessageStatus.READ, None, None)


def test_the_older_name_of_the_status_serves_too() -> None:
    assert status(MessageStatus=None, SmsStatus="delivered").status is MessageStatus.DELIVERED


@pytest.mark.parametrize(
    ("word", "event_type", "expected"),
    [
        (None, "READ", MessageStatus.READ),
        (None, "DELIVERED", MessageStatus.DELIVERED),
        (None, "UNDELIVERED", MessageStatus.FAILED),
        ("delivered", "READ", MessageStatus.READ),
        ("sent", "DELIVERED", MessageStatus.SENT),
        ("read", "DELIVERED", MessageStatus.READ),
        ("failed", "READ", MessageStatus.FAILED),
    ],
)
def test_the_channels_own_word_serves_too_and_a_read_receipt_counts_more(
    word: str | None, event_type: str, expected: MessageStatus
) -> None:
    event = status(MessageStatus=word, EventType=event_type)
    assert event.status is expected
    assert event.key == f"s:{SID}:{event.provider_status}"
    assert event.party == Party(phone=CUSTOMER)


def test_both_kinds_of_webhook_are_told_apart_by_their_status() -> None:
    kinds = [type(*parse(one)) for one in (MESSAGE, STATUS, {**MESSAGE, "SmsStatus": "receiving"})]
    assert kinds == [MessageArrived, StatusChanged, MessageArrived]
    (without,) = parse({name: value for name, value in MESSAGE.items() if name != "SmsStatus"})
    assert isinstance(without, MessageArrived)


@pytest.mark.parametrize("word", ["archived", "failed"])
def test_a_message_with_a_status_of_another_kind_is_a_message_all_the_same(word: str) -> None:
    (event,) = parse({**MESSAGE, "SmsStatus": word, "Body": "hello"})
    assert isinstance(event, MessageArrived)
    assert (event.content.text, event.party) == ("hello", Party(phone=CUSTOMER))
    assert event.business == MESSAGE["To"].removeprefix("whatsapp:")


def test_a_failure_has_its_code_its_texts_and_a_page_to_read() -> None:
    event = status(
        MessageStatus="undelivered",
        ErrorCode="63024",
        ErrorMessage="Invalid message recipient",
        ChannelStatusMessage="no such user",
    )
    assert event.error == MessageError(
        code="63024",
        title="The recipient is not valid",
        message="Invalid message recipient",
        details="no such user",
        href="https://www.twilio.com/docs/api/errors/63024",
    )
    assert event.metadata is None


def test_a_code_alone_still_says_why() -> None:
    error = status(MessageStatus="failed", ErrorCode="63016").error
    assert error is not None
    assert (error.code, error.title, error.message) == ("63016", TITLES["63016"], None)


def test_the_channels_text_stands_in_for_a_missing_one() -> None:
    error = status(MessageStatus="failed", ErrorCode="63999", ChannelStatusMessage="odd").error
    assert error == MessageError(code="63999", message="odd", href="https://www.twilio.com/docs/api/errors/63999")


def test_the_channels_code_stands_in_where_there_is_no_text() -> None:
    error = status(MessageStatus="undelivered", ChannelStatusCode="131026").error
    assert error == MessageError(message="131026")


@pytest.mark.parametrize("word", ["failed", "undelivered"])
def test_a_recipient_who_has_unsubscribed_is_noted_as_such(word: str) -> None:
    changed, noted = parse({**STATUS, "MessageStatus": word, "ErrorCode": "21610"})
    assert isinstance(changed, StatusChanged)
    assert isinstance(noted, PreferenceChanged)
    assert (noted.party, noted.category, noted.value) == (Party(phone=CUSTOMER), "all", "stop")
    assert len(parse({**STATUS, "MessageStatus": word, "ErrorCode": "63024"})) == 1


def test_an_empty_code_without_a_text_is_no_error_and_an_odd_one_no_link() -> None:
    assert status(MessageStatus="failed", ErrorCode="").error is None
    assert status(MessageStatus="failed", ErrorCode="../x").error == MessageError(code="../x")


def test_a_code_on_a_success_is_kept_and_does_not_make_it_a_failure() -> None:
    event = status(MessageStatus="delivered", ErrorCode="63016")
    assert (event.error, event.metadata) == (None, {"ErrorCode": "63016"})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("mid=msg_01abc", "msg_01abc"),
        ("tenant=7&mid=msg_01abc", "msg_01abc"),
        ("mid=%24where", None),
        ("other=1", None),
        ("", None),
    ],
)
def test_our_own_id_comes_back_in_the_query(query: str, expected: str | None) -> None:
    assert status(query=query).client_ref == expected


@pytest.mark.parametrize(
    ("to", "party"),
    [
        ("whatsapp:US.1048", Party(user_id="US.1048")),
        ("whatsapp:US.ENT.99", Party(parent_user_id="US.ENT.99")),
        ("", None),
    ],
)
def test_a_status_may_be_about_somebody_without_a_number(to: str, party: Party | None) -> None:
    assert status(To=to).party == party


def test_what_we_have_no_field_for_is_kept() -> None:
    extra = {"EventType": "READ", "ChannelToAddress": "+447700XXXXXX", "RawDlrDoneDate": "2611221507", "Novel": "1"}
    assert status(MessageStatus="read", ChannelPrefix="whatsapp", **extra).metadata == extra


def test_a_callback_about_another_channel_is_ignored() -> None:
    (event,) = parse({**STATUS, "From": "+14155550101", "To": "+15035550142"})
    assert isinstance(event, Ignored)
    assert (event.reason, event.key) == ("other_channel", f"s:{SID}:sent")
