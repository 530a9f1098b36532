"""What a file is, judged by its first bytes, and what it may be called.

Deliberately trusts nobody's word where content says otherwise; a declared type counts only for what has no signature.
"""

import re
from typing import Final

import filetype

#: Bytes from the beginning of a file that are looked at.
HEAD: Final = 8192
UNKNOWN: Final = "application/octet-stream"
#: Signatures that stand for a family: the declared type is believed if it is one of the family.
FAMILIES: Final = {
    "video/mp4": ("audio/mp4", "audio/m4a", "video/3gpp", "audio/3gpp", "video/quicktime"),
    "audio/ogg": ("application/ogg", "video/ogg"),
    "video/x-matroska": ("video/webm", "audio/webm"),
    "application/zip": (
        "application/vnd.openxmlformats-officedocument.",
        "application/vnd.oasis.opendocument.",
        "application/vnd.android.package-archive",
        "application/vnd.apple.",
        "application/epub+zip",
    ),
    "application/msword": ("application/vnd.ms-excel", "application/vnd.ms-powerpoint", "application/vnd.ms-outlook"),
}
#: Beginnings of media types whose files always have a signature: without one, the declaration is false.
ALWAYS_SIGNED: Final = ("image/", "video/", "audio/", "font/", "application/pdf", "application/zip")
#: Media types that a browser may show by itself; everything else is saved, never run.
SHOWN: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "video/mp4", "video/3gpp"})
_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,100}")
#: A name's characters that mean something to a file system, a header or a terminal.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f"*/:<>?\\|\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]')
#: Characters of a file's name, at most.
NAME_LENGTH: Final = 120


def mime_type_of(head: bytes, declared: str | None) -> str:
    """Return what a file is; `declared` is what somebody said."""
    said = (declared or "").partition(";")[0].strip().lower()
    found = filetype.guess_mime(head)
    if found is not None:
        family = FAMILIES.get(found, ())
        return said if said and said.startswith(family) and _TYPE.fullmatch(said) else str(found)
    if not _TYPE.fullmatch(said) or said.startswith(ALWAYS_SIGNED):
        return UNKNOWN
    return said


def is_shown(mime_type: str) -> bool:
    """Say whether a browser may show a file by itself."""
    return mime_type in SHOWN or mime_type.startswith("audio/")


def safe_name(name: str | None) -> str | None:
    """Return a name that can be saved under anywhere, None where nothing of it is left."""
    clean = _UNSAFE.sub("_", (name or "").encode("utf-8", "ignore").decode()).strip(" .")
    if len(clean) > NAME_LENGTH:
        stem, dot, ending = clean.rpartition(".")
        clean = stem[: NAME_LENGTH - len(ending) - 1] + dot + ending if len(ending) < 12 else clean[:NAME_LENGTH]
    return clean or None
