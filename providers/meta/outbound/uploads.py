"""Files within a message: by the id Meta gave for an upload, or by a public link.

Deliberately uploads nothing: `media` builds those calls.
"""

from typing import Any

from models.message import Media
from providers.outbound import SendableMedia
from runtime.errors import Invalid


def file_of(media: SendableMedia | None) -> dict[str, Any]:
    """Name a file; an upload is preferred, since a link is fetched later, and once more in every ten minutes.

    Raises:
        Invalid: there is neither.
    """
    if media and media.vendor_id:
        return {"id": media.vendor_id}
    if media and media.link:
        return {"link": media.link}
    raise Invalid("the message's file is not at hand", fields={"media": ["is needed"]})


def header_of(media: Media | None) -> str:
    """Say as what a header shows a file; anything that is neither picture nor film is a document."""
    family = ((media.mime_type if media else None) or "").partition("/")[0]
    return family if family in {"image", "video"} else "document"
