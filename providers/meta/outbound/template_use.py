"""The template object of a message: which template, and the values filled in.

    {"name": "quote_ready", "language": {"code": "en_GB"}, "components": [
        {"type": "header", "parameters": [{"type": "document", "document": {"id": "…", "filename": "…"}}]},
        {"type": "body", "parameters": [{"type": "text", "text": "Priya"}]},
        {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "8817"}]}]}

`TemplateUse.components` is in this shape already; only the file of a header is put in here, since its id at Meta is
not known before the message leaves. Deliberately matches no values to placeholders: services/curating does.
"""

from typing import Any, Final

from models.message import TemplateUse
from providers import wire
from providers.meta.outbound.uploads import file_of, header_of
from providers.outbound import Sending

Part = dict[str, Any]

#: Parameters of a header that are files.
FILES: Final = frozenset({"image", "video", "document"})


def template_of(sending: Sending) -> Part:
    """Build the object; components without variables are left out."""
    use = sending.message.template or TemplateUse(name="")
    components = components_of(use)
    if sending.header_media or sending.media:
        components = _with_file(components, sending)
    built: Part = {"name": use.name, "language": {"code": use.language}}
    return built | {"components": components} if components else built


def components_of(use: TemplateUse) -> list[Part]:
    """What is filled in: as given, or else the values of the body in order."""
    if use.components is not None:
        return [component for component in use.components if isinstance(component, dict)]
    values = [{"type": "text", "text": value} for value in use.parameters]
    return [{"type": "body", "parameters": values}] if values else []


def is_header(component: Part) -> bool:
    """Say whether a component is the template's head, whatever the case of its type."""
    return (wire.text(component.get("type")) or "").lower() == "header"


def file_parameter(component: Part) -> Part | None:
    """Find the file among a header's parameters."""
    found = (one for one in wire.listed(component.get("parameters")) if wire.mapping(one).get("type") in FILES)
    return next(found, None) if is_header(component) else None


def _with_file(components: list[Part], sending: Sending) -> list[Part]:
    """Put the file at hand in the place of the header's, or add a header for it."""
    if not any(is_header(component) for component in components):
        kind = header_of(sending.message.media)
        return [{"type": "header", "parameters": [_file(kind, sending)]}, *components]
    return [_filled(component, sending) if file_parameter(component) else component for component in components]


def _filled(component: Part, sending: Sending) -> Part:
    found = file_parameter(component) or {}
    kind = found["type"]
    filled = _file(kind, sending, given=wire.mapping(found.get(kind)))
    return {**component, "parameters": [filled if one is found else one for one in component["parameters"]]}


def _file(kind: str, sending: Sending, *, given: Part | None = None) -> Part:
    media = sending.message.media
    name = (given or {}).get("filename") or (media.file_name if media else None)
    named = {"filename": name} if kind == "document" and name else {}
    return {"type": kind, kind: file_of(sending.header_media or sending.media) | named}
