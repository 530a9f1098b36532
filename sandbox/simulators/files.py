"""The files customers send: real ones of their kinds, small, and each different by the mark it carries.

Pure. Deliberately no drawing library: there is one picture, of a bicycle.
"""

import base64
import struct
from collections.abc import Callable, Mapping

#: A JPEG, 160 by 120.
BICYCLE = base64.b64decode("""
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACQZGyAbFyQgHiApJyQrNls7NjIyNm9PVEJbhHSKiIF0f32Ro9GxkZrFnX1/tve4xdje6uzqja////7j
/9Hl6uH/2wBDAScpKTYwNms7O2vhln+W4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eH/wAARCAB4AKAD
ASIAAhEBAxEB/8QAGQABAAMBAQAAAAAAAAAAAAAAAAMEBQIB/8QANxAAAQMCAwUECAcAAwAAAAAAAQACAwQREiExBRRBUaETYWJxIiMyosHR4fAV
UlNjgZGxQpKT/8QAFwEBAQEBAAAAAAAAAAAAAAAAAAECA//EAB4RAQEAAgIDAQEAAAAAAAAAAAABAhEhUSIxQTJh/9oADAMBAAIRAxEAPwDVREVQ
REQEREBERAREQEREBERAREQEREBERAREQEREBERAREQEREBERAREQEREBERAREQEREBERAREQERQ1bpG0z3Q37QWtYX4oJkWNvG0vyyf+X0XcM9e
Zow8SYC4Yrx2yv5INZERBQq62aGpbDHG0l1rFx9q/wDiW2lKb3jhtwyN/wDVHteMjsp2mzgcN758x8VoxP7SJj7WxNBtyQR0rJmMdvDw95de45WC
mREBERAREQEREBERARVZdo08RtjLzyYL9dFV/GP2Pf8Aog1EVCLa0TjaRro+/UL2rq2uiDYnBweMyDoFLdLjjcrpHU1T3yOETnBjRa4Oueq9iiqZ
Yw9sxAPNxU0VLgpngtBkc0/QJs514XNvmHach93Wdc8u1ykx8fjjdqv9f3ym7Vf6/vlXlDUziCO9ruOQCuoxM8rdRm1LJMfYyPMhuMrk5q5s13qT
H+Q5eR+yoacxQWmqJMLj7IOZ81DHWCF75WMLmO/43tbNSbjeWrLOmwizG7YaXDFCQ3mHXVyCrgnIDHjF+U5FbcE6IiAiIgIiICy56iasmdT01gwZ
ONxmL6+Sm2rMY6YMabOkNv44/BTUVOKeAAgYzm496DmDZ8EIzaJHcS4X6KyAGgAAADIAL1CQASTYDigrVjKcRufLE1xOWliT5rNDZYYm1EbBgaeK
suJraoNHsN7+HNaIY0MwWGG1rHks+66XwmvtR007aiFsjcr6i+hVak9XWSx+y3OwPnl0UEINFtPs72jk0/nTrkp5vV7RjcNXWvf+kqYc7i69zWNL
nGwGpWJV1BkeXnInQclbrJ+2f2bCMDcyfLUqLZcHayuneLhps0Hn9PinutTwn9qSn2cXkyVdy4n2Qfl8F1M1sFbEWNDGm17Cw7+i0FT2k0GJjuId
b7/pXL0zh+lp7GSCz2tcNbOF1SqtmtIMlPdkgzAByPyV2JxfExx1LQV0qwo0NY+SR0E9u1bfPLPuV5Z21YLNbUR5OafSIy8irtPL20DJMvSGdufF
BIiIgIoN58HVN58HVNiltEY9owRuuWHDlfmc1qLH2hId4inaPZtkdLg3WgKoEXDbg96Cwqe0XPEYaB6BOZ+Cl3nwdU3nwdVLyuN1dqdPVtgjwiK5
OpvqpfxH9r3vop958HVN58HVTV7buWN5sZtXJvMjJGgxvbxBv5Lupqd4w+hhw343XO0JDU1EUQAAHLMi60d58HVLL2TPGXcjMD7QSMAIc/LFfQcl
LSVIpoRGI7m9ycWqsVkhmpZGBtiRfnpmotm1NqbAQDhJ48NUkvZc8bzYk/Ef2ve+ijnre2iczs7X44lb3nwdU3nwdU1eyZYz48oSd2ALSLHK/Hjd
WFBvPg6pvPg6qxi3d29rGh9JMHC4wk/1mq+yCTSOBJNnkDuyCVlValkAaAXDDmeaj2c8w01i2+I4uX3oqjSRQbz4Oqbz4OqbFdERZEc8XbRFuh1B
UNJNb1MmTm5Ak9FaUFRTNm9IZPtrz81ROipCongylYXDmfmuxXR2za66C0uJpWxMLjrwF9VXNaXHDFGSeF/kvI6d8zsdQT3BB7SxufIZ38b2VtAA
BYCwCICom9HPfWN3BXlzJG2Vha4Zf4g9BDhdpBHML1Uiyemceyu9hOlrrptc0+0wjyN0FtCQBcmwCqurmW9Fjie/JcHt6o2tgjP3/KBK41UwjZk1
vH4q40BrQBoBYLmKFkLbN46k6ldoCIigIiICIiAuOxi/TZ/1CIg6a1rRZrQB3BeoiAiIgIiIC5dGxxu5jSe8IiAI2NN2saDzAXSIgIiICIiD/9k=
""")
#: Samples of a voice message, 48,000 a second, and those of one packet of silence.
VOICE_SAMPLES, PACKET_SAMPLES = 96_000, 960
#: An Opus packet that says nothing for 20 ms.
SILENCE = b"\xf8\xff\xfe"


def picture(mark: str) -> bytes:
    """Return a JPEG whose comment is the mark."""
    comment = mark.encode()
    return BICYCLE[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + BICYCLE[2:]


def voice(mark: str) -> bytes:
    """Return two seconds of silence, Opus in Ogg (RFC 7845), by a vendor of that name."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, 48_000, 0, 0)
    tags = b"OpusTags" + struct.pack("<I", len(mark)) + mark.encode() + struct.pack("<I", 0)
    sound = [SILENCE] * (VOICE_SAMPLES // PACKET_SAMPLES)
    return _page(0, 2, 0, [head]) + _page(1, 0, 0, [tags]) + _page(2, 4, VOICE_SAMPLES, sound)


def document(mark: str) -> bytes:
    """Return a PDF of one empty page, with the mark as a comment."""
    return (
        f"%PDF-1.4\n% {mark}\n"
        "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\n"
        "trailer<</Root 1 0 R>>\n%%EOF\n"
    ).encode()


def card(mark: str) -> bytes:
    """Return a contact card with the mark as a note."""
    lines = ("BEGIN:VCARD", "VERSION:3.0", "FN:Ana Okoro", "TEL:+447700900901", f"NOTE:{mark}", "END:VCARD", "")
    return "\r\n".join(lines).encode()


def film(mark: str) -> bytes:
    """Return the frame of an MP4 without a film in it, with the mark as free space."""
    free = mark.encode()
    kind = b"ftypmp42" + bytes(4) + b"mp42isom"
    return struct.pack(">I", len(kind) + 4) + kind + struct.pack(">I", len(free) + 8) + b"free" + free


#: Media type -> the file of a mark. The order is part of ids, see `kind_number`.
MAKERS: Mapping[str, Callable[[str], bytes]] = {
    "image/jpeg": picture,
    "audio/ogg": voice,
    "application/pdf": document,
    "text/vcard": card,
    "video/mp4": film,
}


def kind_number(media_type: str) -> int:
    """Return the number of a media type, by which an id tells what it stands for."""
    return list(MAKERS).index(media_type.partition(";")[0])


def by_number(number: int, mark: str) -> tuple[str, bytes]:
    """Return media type and bytes of the file with that mark."""
    media_type = list(MAKERS)[number % len(MAKERS)]
    return media_type, MAKERS[media_type](mark)


def _page(number: int, flags: int, position: int, packets: list[bytes]) -> bytes:
    """Return one Ogg page; its checksum is over itself with the checksum's place empty."""
    head = b"OggS" + struct.pack("<BBqIII", 0, flags, position, 1, number, 0)
    body = bytes([len(packets), *map(len, packets)]) + b"".join(packets)
    return head[:22] + struct.pack("<I", _checksum(head + body)) + head[26:] + body


def _checksum(data: bytes) -> int:
    """Return Ogg's CRC: polynomial 0x04C11DB7, neither reflected nor inverted."""
    remainder = 0
    for byte in data:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x04C11DB7 if remainder & 0x80000000 else 0)) & 0xFFFFFFFF
    return remainder
