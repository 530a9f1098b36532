"""How Twilio delivers: signed over the address as configured, and given up within seconds.

The fragment of that address overrides how (documentation: "Webhooks connection overrides"): `#rc=3&rp=all`
repeats three times whatever went wrong; without it only a connection that did not come about is tried again,
once. Deliberately no fallback address.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urldefrag, urlsplit

import requests

from sandbox.simulators.delivery import Carrier, Cause, Failure, with_query
from sandbox.simulators.scribe import Post
from sandbox.simulators.twilio import wire

#: Seconds between two attempts: they come within seconds of the first.
PAUSE = 1.0
#: Answers that say nothing to the customer; any text in another would be sent on to the phone.
TWIML_TYPES = frozenset({"text/xml", "application/xml"})


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a fragment chooses; times are in seconds."""

    connect: float = 5.0
    read: float = 15.0
    total: float = 15.0
    repeats: int = 1
    policy: frozenset[str] = frozenset({"ct"})


def overrides(fragment: str) -> Overrides:
    """Read a fragment; what it leaves out is as usual."""
    chosen = dict(parse_qsl(fragment))
    usual = Overrides()
    return Overrides(
        connect=_seconds(chosen, "ct", usual.connect),
        read=_seconds(chosen, "rt", usual.read),
        total=_seconds(chosen, "tt", usual.total),
        repeats=int(chosen.get("rc", usual.repeats)),
        policy=frozenset(chosen["rp"].split(",")) if "rp" in chosen else usual.policy,
    )


class TwilioCarrier(Carrier):
    """Delivers for one account."""

    def __init__(self, webhook: str, *, configured: str, auth_token: str, pause: float = PAUSE) -> None:
        """Deliver to `webhook` what is signed for `configured`: what the endpoint is called from outside."""
        super().__init__(urldefrag(webhook).url)
        self._configured, fragment = urldefrag(configured)
        self._overrides = overrides(fragment)
        self._auth_token = auth_token
        self._pause = pause

    def url(self, post: Post) -> str:
        """Return the address to call: what is ours from outside, we call where it delivers from within."""
        if not post.callback:
            return super().url(post)
        url, outside = urldefrag(post.callback).url, _origin(self._configured)
        return _origin(self._webhook) + url.removeprefix(outside) if _origin(url) == outside else url

    def headers(self, post: Post) -> Mapping[str, str]:
        """Sign address and parameters; callbacks without the port, for Twilio's products differ in that."""
        url = urldefrag(post.callback).url or with_query(self._configured, post)
        parameters = dict(parse_qsl(post.body.decode("ascii"), keep_blank_values=True))
        signed = wire.without_port(url) if post.query else url
        return wire.headers(wire.sign(signed, parameters, self._auth_token), post.token)

    def timeout(self) -> tuple[float, float]:
        """Wait as long as the overrides say."""
        return self._overrides.connect, self._overrides.read

    def takes(self, answer: requests.Response) -> bool:
        """Count any success, unless it would write to the customer: only TwiML or nothing keeps silent."""
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        silent = not answer.content or (kind in TWIML_TYPES and b"<Message" not in answer.content)
        return answer.ok and silent and answer.status_code < 300

    def pause(self, failure: Failure) -> float | None:
        """Repeat what the policy names, so often, and within the total time."""
        chosen = self._overrides
        wanted = bool({_policy_word(failure), "all"} & chosen.policy)
        late = failure.elapsed + self._pause > chosen.total
        return self._pause if wanted and failure.number <= chosen.repeats and not late else None


def _policy_word(failure: Failure) -> str:
    """Name a failure as retry policies do; a connection that breaks is repeated only under `all`."""
    if failure.cause is Cause.ANSWERED:
        return f"{failure.status // 100}xx"
    return {Cause.UNCONNECTED: "ct", Cause.SILENT: "rt"}.get(failure.cause, "")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _seconds(chosen: Mapping[str, str], name: str, usual: float) -> float:
    return int(chosen[name]) / 1000 if name in chosen else usual
