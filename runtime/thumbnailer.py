"""Make one thumbnail, as a process of its own: `python -I thumbnailer.py PICTURE THUMBNAIL`.

A picture of a stranger is decoded here and nowhere else: with little memory, little time, no more pixels than a camera
makes, no environment and nothing of ours imported. What goes wrong ends this process and nothing more. Deliberately
no metadata in what comes out: neither place nor camera of who took it.
"""

import resource
import sys
from typing import Final

from PIL import Image, ImageOps

#: Memory (bytes of address space) and processor time (s) that a picture may take.
MEMORY: Final = 768 * 1024 * 1024
SECONDS: Final = 10
#: Pixels of a picture, at most: a 100-megapixel phone's, no bomb's.
PIXELS: Final = 110_000_000
#: Bytes of a thumbnail, at most, and pixels of its longer side.
THUMBNAIL_BYTES: Final = 256 * 1024
SIDE: Final = 320
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")


def make(picture: str, thumbnail: str) -> None:
    """Write a small JPEG of a picture, the right way up."""
    Image.MAX_IMAGE_PIXELS = PIXELS
    with Image.open(picture, formats=FORMATS) as image:
        if image.width * image.height > PIXELS:
            raise Image.DecompressionBombError("too many pixels")
        # A JPEG is decoded no larger than needed.
        image.draft("RGB", (SIDE * 2, SIDE * 2))
        image.thumbnail((SIDE, SIDE))
        upright = ImageOps.exif_transpose(image).convert("RGBA")
    paper = Image.new("RGB", upright.size, "white")
    paper.paste(upright, mask=upright.getchannel("A"))
    paper.save(thumbnail, "JPEG", quality=80)


def main() -> None:
    """Give up most of what a process may do, then make a thumbnail."""
    for kind, limit in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_FSIZE, THUMBNAIL_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))
    make(*sys.argv[1:3])


if __name__ == "__main__":
    main()
