"""What Meta would refuse of a template's use, as far as it shows without the template's definition.

Vendor document: "Cloud API: Template messages". Deliberately counts no parameters: services/curating compares them
with the definition, field by field, before a message is queued.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from models.message import Media, Message, TemplateUse
from models.values import MessageType
from providers import wire
from providers.meta.outbound.bodies import group_of
from providers.meta.outbound.media_limits import media_findings
from providers.meta.outbound.spans import Finding, bounded
from providers.meta.outbound.template_use import components_of, file_parameter, is_header
from providers.meta.outbound.uploads import header_of
from providers.outbound import Destination

NAME_LENGTH: Final = 512
#: Characters of a one-time code.
CODE_LENGTH: Final = 15
AUTHENTICATION: Final = "authentication"

#: What the text of a parameter must not hold.
_ILLEGAL = re.compile(r"[\n\r\t]| {5,}")
_PATH: Final = "template.components"


def template_findings(message: Message, to: Destination) -> Iterator[Finding]:
    """Check which template is used for whom, and the values filled in."""
    use = message.template
    if use is None:
        yield "template", "is needed"
        return
    yield from bounded("template.name", use.name, NAME_LENGTH)
    if not use.language:
        yield "template.language", "is needed"
    if _authenticates(use) and not (to.phone or group_of(to)):
        yield "to", "an authentication template needs the customer's phone number"
    components = components_of(use)
    for index, component in enumerate(components):
        yield from _component(f"{_PATH}.{index}", component, use)
    yield from _file(components, message.media)


def _authenticates(use: TemplateUse) -> bool:
    return (use.category or "").lower() == AUTHENTICATION


def _component(path: str, component: dict[str, Any], use: TemplateUse) -> Iterator[Finding]:
    parameters = [one for one in wire.listed(component.get("parameters")) if isinstance(one, dict)]
    if len({bool(wire.text(one.get("parameter_name"))) for one in parameters}) > 1:
        yield f"{path}.parameters", "must all be named, or none of them"
    for index, one in enumerate(parameters):
        if one.get("type") == "text":
            yield from _value(f"{path}.parameters.{index}.text", one.get("text"), use)


def _value(path: str, value: object, use: TemplateUse) -> Iterator[Finding]:
    text = value if isinstance(value, str) else ""
    if not text.strip():
        yield path, "is needed"
    if _ILLEGAL.search(text):
        yield path, "must not have line breaks, tabs or more than four spaces in a row"
    if _authenticates(use) and len(text) > CODE_LENGTH:
        yield path, f"is longer than {CODE_LENGTH} characters"


def _file(components: list[dict[str, Any]], media: Media | None) -> Iterator[Finding]:
    """Check the header's file: the message's own, or one that the component names."""
    found = next((file_parameter(one) for one in components if is_header(one)), None)
    kind = found["type"] if found else header_of(media)
    named = wire.mapping(found.get(kind)) if found else {}
    if media is not None:
        yield from media_findings(MessageType(kind), media)
    elif found and not (named.get("id") or named.get("link")):
        yield "media", f"the template's header needs a file ({kind})"
