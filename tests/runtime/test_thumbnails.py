"""Thumbnails of pictures that were made to do harm: the process that decodes may die, ours stays as it is."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from runtime.thumbnailer import MEMORY, SIDE, THUMBNAIL_BYTES
from runtime.thumbnails import thumbnail

#: Bytes by which our own process may grow while it waits.
GROWTH = 24 * 1024 * 1024
ROOT = Path(__file__).parents[2]
ASK = """
import resource, sys
from pathlib import Path
from runtime.thumbnails import thumbnail
def peak(whose): return resource.getrusage(whose).ru_maxrss
before = peak(resource.RUSAGE_SELF)
thumbnail(Path(sys.argv[1]))
print(before, peak(resource.RUSAGE_SELF), peak(resource.RUSAGE_CHILDREN))
"""


def encoded(kind: str, size: tuple[int, int] = (2000, 1000), mode: str = "RGB", **options: object) -> bytes:
    made = io.BytesIO()
    Image.new(mode, size, "teal").save(made, kind, **options)
    return made.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes and many pixels, made without having them in memory."""
    packer = zlib.compressobj(9)
    row = bytes(1 + width * 4)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def exif_bomb() -> bytes:
    """A JPEG whose EXIF announces a hundred entries, each four billion values at an offset that leads back to it."""
    entries = b"".join(struct.pack("<HHLL", 0x0112 + n, 5, 0xFFFFFFFF, 8) for n in range(100))
    block = b"Exif\0\0II*\0" + struct.pack("<LH", 8, 100) + entries + struct.pack("<L", 8)
    jpeg = encoded("JPEG", (64, 64))
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def text_bomb() -> bytes:
    """A PNG with a compressed comment of a gigabyte."""
    packer = zlib.compressobj(9)
    zeros = bytes(1 << 20)
    comment = b"".join(packer.compress(zeros) for _ in range(1024)) + packer.flush()
    png = encoded("PNG", (64, 64))
    return png[:33] + chunk(b"zTXt", b"Comment\0\0" + comment) + png[33:]


def peaks(content: bytes, tmp_path: Path) -> tuple[int, int]:
    """Ask for a thumbnail in a process of its own; return by how much that one grew, and what its child took."""
    path = tmp_path / "bomb"
    path.write_bytes(content)
    told = subprocess.run([sys.executable, "-c", ASK, str(path)], cwd=ROOT, capture_output=True, check=True, text=True)
    before, after, child = (int(number) * 1024 for number in told.stdout.splitlines()[-1].split())
    return after - before, child


def small_of(content: bytes, tmp_path: Path) -> Image.Image | None:
    path = tmp_path / "picture"
    path.write_bytes(content)
    made = thumbnail(path)
    if made is None:
        return None
    assert len(made) <= THUMBNAIL_BYTES
    return Image.open(io.BytesIO(made))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_gets_a_small_jpeg(kind: str, tmp_path: Path) -> None:
    small = small_of(encoded(kind), tmp_path)
    assert small is not None
    assert (small.format, small.size) == ("JPEG", (SIDE, SIDE // 2))


def test_what_shines_through_becomes_white(tmp_path: Path) -> None:
    made = io.BytesIO()
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(made, "PNG")
    small = small_of(made.getvalue(), tmp_path)
    assert small is not None
    assert small.getpixel((25, 25)) == (255, 255, 255)


def test_it_stands_upright_and_tells_nothing_of_the_camera(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8825] = 6, "a camera", {1: "N", 2: (51.0, 30.0, 0.0)}
    small = small_of(encoded("JPEG", exif=exif), tmp_path)
    assert small is not None
    assert small.size == (SIDE // 2, SIDE)
    assert dict(small.getexif()) == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\xff\xd8\xff\xe0", encoded("PNG")[:200], encoded("BMP"), encoded("TIFF"), b"%!PS-Adobe-3.0 EPSF"],
)
def test_of_what_is_no_such_picture_there_is_none(content: bytes, tmp_path: Path) -> None:
    assert small_of(content, tmp_path) is None


@pytest.mark.parametrize(("width", "height"), [(50_000, 40_000), (10_400, 10_400)])
def test_a_decompression_bomb_costs_us_nothing(width: int, height: int, tmp_path: Path) -> None:
    """Two billion pixels are refused by their number; a hundred million of four bytes still fit a phone's camera."""
    content = png_bomb(width, min(height, 200)) if width == 50_000 else png_bomb(width, height)
    if width == 50_000:
        # The head alone lies: there is no need to make the rows.
        content = content.replace(struct.pack(">II", width, 200), struct.pack(">II", width, height), 1)
    assert len(content) < 2_000_000
    ours, childs = peaks(content, tmp_path)
    assert ours < GROWTH
    assert childs < MEMORY


@pytest.mark.parametrize("bomb", [exif_bomb, text_bomb])
def test_a_bomb_in_the_metadata_costs_us_nothing(bomb: object, tmp_path: Path) -> None:
    content = bomb()  # type: ignore[operator]
    assert len(content) < 2_000_000
    ours, childs = peaks(content, tmp_path)
    assert ours < GROWTH
    assert childs < MEMORY


def test_a_decoder_that_needs_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.thumbnails.PATIENCE_S", 0.001)
    assert small_of(encoded("JPEG"), tmp_path) is None


def test_the_decoder_has_no_memory_beyond_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is real: with a smaller one the same picture has no thumbnail."""
    script = tmp_path / "thumbnailer.py"
    usual = Path("runtime/thumbnailer.py").read_text()
    script.write_text(usual.replace("768 * 1024", "128 * 1024"))
    assert script.read_text() != usual
    content = png_bomb(6000, 6000)
    assert small_of(content, tmp_path) is not None
    monkeypatch.setattr("runtime.thumbnails._SCRIPT", script)
    assert small_of(content, tmp_path) is None
