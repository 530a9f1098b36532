"""Signed HTTP requests, made before the clock starts and kept in a file that a load generator walks through.

A request is written as eight digits, its length, followed by its bytes; nobody sends one twice in a run, because a
repeated webhook would measure the recognition of duplicates. Deliberately no sending.
"""

import hashlib
import hmac
import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

#: Where all contenders take webhooks.
PATH: Final = "/api/whatsapp/webhooks/meta"
#: Digits of the length before each request; `signed.lua` knows it too.
LENGTH_DIGITS: Final = 8


def signed_request(body: bytes, secret: str) -> bytes:
    """Make a POST as Meta sends it: HMAC-SHA256 over the raw body with the app's secret."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: facebookexternalua\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nX-Hub-Signature-256: sha256={signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def write_requests(path: Path, bodies: Iterable[bytes], secret: str) -> int:
    """Sign and write requests; return how many."""
    count = 0
    with path.open("wb", buffering=1 << 20) as file:
        for body in bodies:
            request = signed_request(body, secret)
            file.write(b"%0*d" % (LENGTH_DIGITS, len(request)) + request)
            count += 1
    return count


def read_requests(path: Path) -> Iterator[bytes]:
    """Walk through a file of requests."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = 0
        while place < len(content):
            start = place + LENGTH_DIGITS
            place = start + int(content[place:start])
            yield content[start:place]
