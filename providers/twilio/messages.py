"""Inbound webhooks: who wrote what, what it answers, and which ad it came from.

    MessageSid=SM…  From=whatsapp:+4477…  To=whatsapp:+1555…  Body=…  ProfileName=…  Forwarded=true

Twilio sends no time, so `at` is None. Deliberately no idea of order or of repetitions: the SID of the message
is all there is to tell them.
"""

from typing import Any, Final

from models.message import Context, Referral
from providers import wire
from providers.events import Event, MessageArrived, Party, PreferenceChanged, ReactionChanged
from providers.twilio.content import content_of, message_type
from providers.twilio.parameters import Parameters
from providers.twilio.parties import bare, party_of
from providers.twilio.routing import key_of, our_address

#: Parameters that say nothing beyond what every message is.
FRAME: Final = frozenset(
    {"MessageSid", "SmsSid", "SmsMessageSid", "AccountSid", "To", "SmsStatus", "MessageStatus", "ApiVersion"}
    | {"NumMedia", "NumSegments", "MessageType", "ReferralNumMedia"}
)
#: Advanced opt-out keyword -> what it means for messages to come.
OPT_OUT: Final = {"stop": "stop", "start": "resume"}
#: Characters of one emoji, at most, with skin tones and joiners.
EMOJI_LENGTH: Final = 16

_CONTEXT: Final = frozenset(
    {"OriginalRepliedMessageSid", "OriginalRepliedMessageSender", "Forwarded", "FrequentlyForwarded"}
)
#: Parameter -> field.
_REFERRAL_FIELDS: Final = {
    "ReferralSourceType": "source_type",
    "ReferralSourceId": "source_id",
    "ReferralSourceUrl": "source_url",
    "ReferralHeadline": "headline",
    "ReferralBody": "body",
    "ReferralCtwaClid": "ctwa_clid",
}
_REFERRAL: Final = "Referral"
#: First half of an ad's media type -> the field for its address.
_REFERRAL_MEDIA: Final = {"image": "image_url", "video": "video_url"}


def read_message(parameters: Parameters, path: str, sid: str) -> list[Event]:
    """Read an inbound message; a keyword that opts out or in is a second event.

    Raises:
        UnreadableError: it has no sender.
    """
    party, told = party_of(parameters, "From")
    if not party.known:
        raise wire.UnreadableError("message_without_sender")
    if _is_reaction(parameters):
        return [_reaction(parameters, path, sid, party, told)]
    content, said = content_of(parameters)
    arrived = MessageArrived(
        **_frame(parameters, path, f"m:{sid}", said | told | _CONTEXT | _referral_names(parameters)),
        provider_message_id=sid,
        party=party,
        content=content,
        context=_context(parameters),
        referral=_referral(parameters),
        business=our_address(parameters),
    )
    return [arrived, *_preference(parameters, path, sid, party)]


def _frame(parameters: Parameters, path: str, key: str, known: frozenset[str]) -> dict[str, Any]:
    """Give the fields that all events have."""
    metadata = parameters.beyond(FRAME | known)
    return {"account": key_of(parameters), "path": path, "key": key, "metadata": metadata}


def _context(parameters: Parameters) -> Context | None:
    """Read what a message answers or forwards; of originals older than seven days Twilio says nothing."""
    context = Context(
        message_id=parameters.text("OriginalRepliedMessageSid"),
        from_=bare(parameters.text("OriginalRepliedMessageSender")),
        forwarded=wire.flag(parameters.raw("Forwarded")),
        frequently_forwarded=wire.flag(parameters.raw("FrequentlyForwarded")),
    )
    return context if context != Context() else None


def _referral(parameters: Parameters) -> Referral | None:
    """Read the ad or post that brought the customer; a bare count of its media is none."""
    names = _referral_names(parameters)
    if not names:
        return None
    named: dict[str, Any] = {field: parameters.text(name) for name, field in _REFERRAL_FIELDS.items()}
    referral = Referral(**named)
    main_type = (parameters.text("ReferralMediaContentType") or "").partition("/")[0]
    referral.media_type = main_type or None
    if main_type in _REFERRAL_MEDIA:
        setattr(referral, _REFERRAL_MEDIA[main_type], parameters.text("ReferralMediaUrl"))
        names -= {"ReferralMediaUrl"}
    unnamed = {name: parameters.raw(name) for name in sorted(names - _REFERRAL_FIELDS.keys())}
    referral.raw = wire.storable(unnamed) or None
    return referral


def _referral_names(parameters: Parameters) -> frozenset[str]:
    names = frozenset(name for name in parameters if name.startswith(_REFERRAL))
    return names if names - FRAME else frozenset()


def _is_reaction(parameters: Parameters) -> bool:
    """Recognise a reaction. Twilio's documents know none; should one come, it must not become a bubble."""
    if message_type(parameters) != "reaction" or "OriginalRepliedMessageSid" not in parameters:
        return False
    body = parameters.text("Body")
    return body is None or (len(body) <= EMOJI_LENGTH and not body.isascii())


def _reaction(parameters: Parameters, path: str, sid: str, party: Party, told: frozenset[str]) -> ReactionChanged:
    return ReactionChanged(
        **_frame(parameters, path, f"r:{sid}", told | _CONTEXT | {"Body"}),
        target_id=parameters.text("OriginalRepliedMessageSid") or "",
        party=party,
        emoji=parameters.text("Body"),
    )


def _preference(parameters: Parameters, path: str, sid: str, party: Party) -> list[Event]:
    """Read an opt-out keyword, which a messaging service recognises and acts upon by itself."""
    value = OPT_OUT.get((parameters.text("OptOutType") or "").lower())
    if value is None:
        return []
    changed = PreferenceChanged(
        account=key_of(parameters),
        path=path,
        key=f"p:{sid}:{value}",
        party=party,
        category="all",
        value=value,
    )
    return [changed]
