"""The counter where calls of a vendor's API arrive: ordered faults and limits around the vendor's own checks.

Deliberately knows no vendor; closing a connection and keeping silent are left to the server by `HungUp`.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from sandbox.simulators.api import SEND, Api, Call, Refused
from sandbox.simulators.books import Books
from sandbox.simulators.exchange import Answer, Asked
from sandbox.simulators.faults import BEFORE, Fault, Faults
from sandbox.simulators.limits import Limits

#: Seconds a connection hangs unless ordered otherwise, and bytes of a body that is too big.
HANGING, BIG = 120.0, 50_000_000
#: Fields of an answer that tell the id.
IDS = frozenset({"messages", "sid", "uri", "subresource_uris", "id", "queueNumber"})


class HungUp(Exception):
    """The connection closes without an answer."""


class Counter:
    """Serves the calls of one vendor."""

    def __init__(self, api: Api, *, books: Books, stop: threading.Event) -> None:
        self.faults = Faults()
        self.limits = Limits()
        self._api = api
        self._books = books
        self._stop = stop

    def serve(self, asked: Asked) -> Answer:
        """Return the answer to a request.

        Raises:
            HungUp: there is none.
        """
        try:
            call = self._api.call(asked)
        except Refused as refused:
            return refused.answer
        fault = self.faults.strike(call)
        try:
            answer = self._act(call, fault)
        except Refused as refused:
            if call.name == SEND:
                self._books.refused(refused.reason)
            return refused.answer
        return _AFTER[fault.do](self._stop, fault, answer) if fault and fault.do in _AFTER else answer

    def _act(self, call: Call, fault: Fault | None) -> Answer:
        """Do what was asked, unless it is too fast, or a fault comes first."""
        if fault and fault.do in BEFORE:
            raise self._struck_down(call, fault)
        exceeded = self.limits.exceeded_by(call) if call.name == SEND else None
        if exceeded:
            raise self._api.throttled(exceeded)
        return call.act((fault.code or "") if fault and fault.do == "fail" else None)

    def _struck_down(self, call: Call, fault: Fault) -> Exception:
        if fault.do == "close_before":
            if call.name == SEND:
                self._books.refused(fault.do)
            return HungUp()
        told = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
        refused = self._refusal(fault)
        return Refused(replace(refused.answer, headers=told), refused.reason)

    def _refusal(self, fault: Fault) -> Refused:
        if fault.code:
            return Refused(self._api.error(fault.code, fault.status), fault.code)
        if fault.do == "throttle":
            return self._api.throttled("number")
        status = fault.status or 503
        return Refused(Answer(status, f"<html><h1>{status}</h1></html>".encode(), "text/html"), str(status))


def _delayed(stop: threading.Event, fault: Fault, answer: Answer) -> Answer:
    stop.wait(fault.seconds)
    return answer


def _closed(_stop: threading.Event, _fault: Fault, _answer: Answer) -> Answer:
    raise HungUp


def _hung(stop: threading.Event, fault: Fault, _answer: Answer) -> Answer:
    stop.wait(fault.seconds or HANGING)
    raise HungUp


def _garbled(_stop: threading.Event, _fault: Fault, _answer: Answer) -> Answer:
    return Answer(200, b'{"messages": [{"id": \x00\xff <garbage>')


def _without_id(_stop: threading.Event, _fault: Fault, answer: Answer) -> Answer:
    content = answer.content
    kept = {name: value for name, value in content.items() if name not in IDS} if isinstance(content, dict) else {}
    return replace(answer, content=kept)


def _bloated(_stop: threading.Event, _fault: Fault, answer: Answer) -> Answer:
    return replace(answer, content=b'{"padding": "' + b"x" * BIG + b'"}')


#: What a fault does to the answer of a call that took effect.
_AFTER: Mapping[str, Callable[[threading.Event, Fault, Answer], Answer]] = {
    "delay": _delayed,
    "close_after_accept": _closed,
    "hang_after_accept": _hung,
    "garbage": _garbled,
    "no_id": _without_id,
    "big_body": _bloated,
}
