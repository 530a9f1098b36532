"""Meta's media calls as a server does them that may lie: look-ups, files, uploads.

Deliberately imports nothing of ours but the server that does as it is told.
"""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

from tests.support.rawserver import Peer, Request

Answer = Callable[[Peer], None]


def picture(kind: str = "JPEG", size: tuple[int, int] = (640, 480)) -> bytes:
    """A picture as a phone might send it."""
    made = io.BytesIO()
    Image.new("RGB", size, "teal").save(made, kind)
    return made.getvalue()


@dataclass
class MetaMedia:
    """Answers `GET /vNN/<media id>` with where the file is, and the file; each look-up gives a fresh address."""

    content: bytes = field(default_factory=picture)
    mime_type: str = "image/jpeg"
    #: What the look-up says of the file, where that is to be other than the truth.
    said: dict[str, object] = field(default_factory=dict)
    #: Answers to the next look-ups and to the next downloads, before the usual ones.
    look_ups: list[Answer] = field(default_factory=list)
    downloads: list[Answer] = field(default_factory=list)
    uploads: list[Answer] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def __call__(self, peer: Peer) -> None:
        while request := peer.request():
            self.requests.append(request)
            kind, usual = self._kind(request)
            (kind.pop(0) if kind else usual)(peer)

    def fetched(self) -> list[Request]:
        return [one for one in self.requests if one.target.startswith("/files/")]

    def looked_up(self) -> list[Request]:
        return [one for one in self.requests if one.head.startswith(b"GET") and one not in self.fetched()]

    def uploaded(self) -> list[Request]:
        return [one for one in self.requests if one.head.startswith(b"POST")]

    def _kind(self, request: Request) -> tuple[list[Answer], Answer]:
        if request.head.startswith(b"POST"):
            return self.uploads, self._take
        if request.target.startswith("/files/"):
            return self.downloads, lambda peer: peer.answer(self.content)
        return self.look_ups, self._tell

    def _tell(self, peer: Peer) -> None:
        truth = {
            "messaging_product": "whatsapp",
            "url": f"{peer.server.url}/files/{len(self.looked_up())}",
            "mime_type": self.mime_type,
            "sha256": hashlib.sha256(self.content).hexdigest(),
            "file_size": str(len(self.content)),
            "id": "1037543291543636",
        }
        peer.answer(json.dumps({**truth, **self.said}).encode())

    def _take(self, peer: Peer) -> None:
        peer.answer(json.dumps({"id": f"4490709327384{len(self.uploaded()):03d}"}).encode())


def refusing(status: str, body: bytes = b"{}") -> Answer:
    """Answer with a status."""
    return lambda peer: peer.answer(body, status=status)
