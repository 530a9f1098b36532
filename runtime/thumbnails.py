"""Asking a process of its own for a thumbnail, and living with whatever becomes of it.

Deliberately never decodes a picture in this process.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from runtime.logs import logger

#: Media types of which thumbnails are made.
PICTURES: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
MIME_TYPE: Final = "image/jpeg"
#: Seconds after which a process that makes a thumbnail is ended.
PATIENCE_S: Final = 20.0
_SCRIPT: Final = Path(__file__).with_name("thumbnailer.py")

_log = logger(__name__)


def thumbnail(picture: Path) -> bytes | None:
    """Return a small JPEG of a picture, None where none can be made of it."""
    with tempfile.TemporaryDirectory(prefix="hookline-thumbnail-") as directory:
        made = Path(directory) / "thumbnail.jpg"
        try:
            subprocess.run(  # noqa: S603  our own script on a file of ours
                [sys.executable, "-I", str(_SCRIPT), str(picture), str(made)],
                check=True,
                timeout=PATIENCE_S,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd=directory,
            )
            return made.read_bytes() or None
        except (subprocess.SubprocessError, OSError) as error:
            # What the decoder said is not kept: it may quote the picture.
            _log.info("no_thumbnail", error=type(error).__name__)
            return None
