"""What Twilio posts: flat parameters, mostly as a form, from newer products as JSON.

Every value of a form is a string, absent parameters are normal, new ones appear without notice.
Deliberately knows no parameter but `ChannelMetadata`, which repeats others.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from providers import wire
from providers.base import JSON

#: Bytes of a form, at most: Twilio's longest are a tenth of it.
MAX_FORM_BYTES: Final = 262_144
#: Parameters of a form, at most; Twilio sends some sixty.
MAX_PARAMETERS: Final = 1_000
#: Parameters that are looked for in `ChannelMetadata` where they are missing outside of it.
REPEATED_IN_METADATA: Final = frozenset(
    {"ProfileName", "ProfileUsername", "WaId", "ExternalUserId", "ParentExternalUserId"}
    | {"Forwarded", "FrequentlyForwarded", "OriginalRepliedMessageSid", "OriginalRepliedMessageSender"}
    | {"ButtonText", "ButtonPayload", "ButtonType", "ListId", "ListTitle", "ListDescription", "FlowData"}
    | {"Latitude", "Longitude", "Address", "Label"}
    | {"ReferralBody", "ReferralHeadline", "ReferralSourceId", "ReferralSourceType", "ReferralSourceUrl"}
    | {"ReferralMediaId", "ReferralMediaContentType", "ReferralMediaUrl", "ReferralCtwaClid"}
)


class Parameters:
    """The parameters of one webhook, by name; an empty one is an absent one."""

    __slots__ = ("_all",)

    def __init__(self, found: Mapping[str, Any]) -> None:
        given = {name: _clean(value) for name, value in found.items()}
        repeated = _channel_context(given.get("ChannelMetadata"))
        self._all = {**repeated, **{name: value for name, value in given.items() if value not in ("", None)}}

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def raw(self, name: str) -> Any:
        """Return a parameter as it came; None where absent."""
        return self._all.get(name)

    def text(self, name: str) -> str | None:
        """Read a string; of a repeated parameter the first."""
        value = self._all.get(name)
        return wire.text(value[0] if isinstance(value, list) and value else value)

    def first_of(self, *names: str) -> str | None:
        """Read the first of several names of the same thing."""
        return next((found for name in names if (found := self.text(name))), None)

    def decoded(self, name: str) -> Any:
        """Read JSON within a string; a string that is none stays one."""
        return _decoded(self._all.get(name))

    def beyond(self, known: Iterable[str]) -> dict[str, Any] | None:
        """Collect what no field of ours holds; of a known but repeated parameter all values."""
        told = {name for name in known if not isinstance(self._all.get(name), list)}
        rest = {name: value for name, value in self._all.items() if name not in told}
        if "ChannelMetadata" in rest:
            rest["ChannelMetadata"] = self.decoded("ChannelMetadata")
        return wire.storable(rest) or None


def read_pairs(form: bytes) -> list[tuple[str, str]]:
    """Decode a form as the signature wants it: every parameter, blanks kept, nothing trimmed.

    Raises:
        ValueError: it is not UTF-8, or has too many parameters.
    """
    return parse_qsl(form.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)


def read_items(body: bytes, content_type: str) -> list[tuple[str, Any]]:
    """Read a delivery: each item with its place. Twilio's forms are one item.

    Raises:
        wire.UnreadableError: the bytes are neither a form nor JSON.
    """
    if content_type == JSON and body.strip():
        return _json_items(body)
    try:
        return [("body", _by_name(read_pairs(body)))]
    except ValueError as error:
        raise wire.UnreadableError("not_a_form") from error


def _json_items(body: bytes) -> list[tuple[str, Any]]:
    try:
        found = wire.load_json(body)
    except wire.NotJsonError as error:
        raise wire.UnreadableError("not_json") from error
    if isinstance(found, list) and found:
        return [(f"body.{index}", item) for index, item in enumerate(found)]
    return [("body", found)]


def _by_name(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Gather values by name; a name with several different ones gets them all, in order."""
    values: dict[str, dict[str, None]] = {}
    for name, value in pairs:
        values.setdefault(name, {})[value] = None
    return {name: list(found) if len(found) > 1 else next(iter(found)) for name, found in values.items()}


def _clean(value: Any) -> Any:
    """Take out NULs, which have been seen in texts and mean nothing."""
    return value.replace("\x00", "") if isinstance(value, str) else value


def _channel_context(metadata: object) -> dict[str, Any]:
    data = wire.mapping(wire.mapping(_decoded(metadata)).get("data"))
    context = wire.mapping(data.get("context"))
    texts = {name: value for name, value in context.items() if isinstance(value, str) and value}
    return {name: _clean(texts[name]) for name in REPEATED_IN_METADATA & texts.keys()}


def _decoded(value: object) -> Any:
    if not isinstance(value, str):
        return wire.storable(value)
    try:
        return wire.storable(wire.load_json(value.encode("utf-8", "surrogatepass")))
    except wire.NotJsonError:
        return value
