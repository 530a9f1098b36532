"""The negative controls: with one mechanism switched off in a real process, the same account does not balance.

Each row is a fault of FAULTS §2 C, the mistake of `tests.support.sabotage` that a worker or the API makes, what
happens, and what is then seen of the message. The table of all faults and controls is in `test_sending`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from services.sending.pausing import MANY
from tests.journeys.conftest import Desk
from tests.support import unreachable
from tests.support.outbound import ACCESS_TOKEN, ARRIVED, Number, Office, all_of, let_pass
from tests.support.waiting import until


@dataclass(frozen=True)
class Scene:
    """Where a control plays."""

    here: Office
    number: Number
    without: str

    def written(self, *faults: dict[str, Any]) -> str:
        """Write to a new customer, with some faults ordered for them."""
        [(person, chat)] = self.here.customers(1).items()
        for fault in faults:
            self.number.accountant.fault(**fault, match={"recipient": person})
        return self.here.write(chat)

    def seen(self, message: str) -> tuple[str, int]:
        """Return a message's state, and how often it was taken."""
        return self.here.state(message), self.number.accountant.accepts(message)

    def refusals(self, code: str) -> int:
        """Return how often the vendor has said so."""
        return int(self.number.accountant.sends["refused"].get(code, 0))

    def comes_to(self, message: str, *states: str) -> tuple[str, int]:
        self.here.wait_for(message, *states, seconds=40)
        return self.seen(message)


@pytest.fixture(autouse=True)
def honest_again(desk: Desk) -> Iterator[None]:
    """Leave an honest office behind."""
    yield
    here, number = desk
    number.accountant.recover()
    here.replace_workers()


def sent_and_not_told(do: str) -> Callable[[Scene], object]:
    """C1, C10: the vendor takes a message, and its answer is no answer."""

    def play(scene: Scene) -> object:
        scene.here.replace_workers(1, without=scene.without)
        scene.number.accountant.statuses("none")
        message = scene.written({"do": do, "times": 1})
        return scene.comes_to(message, *ARRIVED)[1]

    return play


def killed_after(scene: Scene) -> object:
    """C2: the worker dies after the vendor took it; those who come after it are careless."""
    scene.number.accountant.statuses("none")
    message = scene.written({"do": "delay", "seconds": 2.5, "times": 1})
    until(lambda: scene.number.accountant.accepts(message), seconds=20, what="the entry in the books")
    scene.here.replace_workers(1, without=scene.without)
    until(lambda: scene.number.accountant.accepts(message) == 2, seconds=30, what="a second entry in the books")
    return scene.number.accountant.accepts(message)


def killed_before(scene: Scene) -> object:
    """C3: the worker dies before it connects; those who come after it send without being asked."""
    with unreachable.crowded() as address:
        scene.here.replace_workers(1, META_API_URL=address)
        message = scene.written()
        scene.here.wait_for(message, "sending")
        scene.here.replace_workers(1, without=scene.without)
    return scene.comes_to(message, *ARRIVED, "unknown")[0] in ARRIVED


def unreachable_once(scene: Scene) -> object:
    """C4: nobody listens."""
    with unreachable.refusing() as address:
        scene.here.replace_workers(1, without=scene.without, META_API_URL=address)
        return scene.comes_to(scene.written(), "failed")


def throttled_once(scene: Scene) -> object:
    """C5: too fast; return the attempts spent."""
    scene.here.replace_workers(1, without=scene.without)
    message = scene.written({"do": "throttle", "times": 1})
    scene.comes_to(message, *ARRIVED)
    return scene.here.tries([message])


def down(scene: Scene) -> object:
    """C6: the vendor is down; return whether the many knock on its door a second time, and nobody pauses."""
    scene.here.replace_workers(1, without=scene.without)
    people = scene.here.customers(MANY + 8)
    scene.number.accountant.fault("error", status=503)
    before = scene.refusals("503")
    written = scene.here.write_all(list(people.values()), 1)

    twice = 2 * len(all_of(written))
    until(lambda: scene.refusals("503") - before >= twice, seconds=20, what="everybody's second attempt")
    return scene.here.system.store.sendpauses.count_documents({})


def refused(code: str) -> Callable[[Scene], object]:
    """C7: the vendor does not take it; return whether it is asked again, or the message's state."""

    def play(scene: Scene) -> object:
        before = scene.refusals(code)
        scene.here.replace_workers(1, without=scene.without)
        message = scene.written({"do": "error", "code": code})
        if code == "190":
            return scene.comes_to(message, "failed")[0]
        until(lambda: scene.refusals(code) - before > 1, seconds=20, what="another attempt")
        return scene.here.state(message) != "failed"

    return play


def asked_twice(scene: Scene) -> object:
    """C8: somebody asks again for what another has asked for, and got."""
    message = scene.written({"do": "error", "code": "131009", "times": 1})
    scene.comes_to(message, "failed")
    answers = []
    with scene.here.another_api(without=scene.without):
        for accepted in (1, 2):
            answers.append(scene.here.retry(message))
            scene.comes_to(message, *ARRIVED)
            assert scene.number.accountant.accepts(message) == accepted
    return answers, scene.number.accountant.accepts(message)


def told_before(scene: Scene) -> object:
    """C9: the customer has read it before the vendor answers."""
    scene.here.replace_workers(1, without=scene.without)
    message = scene.written({"do": "delay", "seconds": 2.5, "times": 1})
    scene.comes_to(message, "read")
    return scene.comes_to(message, "accepted")


def failing_always(scene: Scene) -> object:
    """C11: the vendor's own trouble, which its code makes worth three attempts; return whether there are more."""
    scene.here.replace_workers(1, without=scene.without)
    message = scene.written({"do": "error", "code": "131000"})
    until(lambda: scene.here.row(message).get("tries", 0) > 5, seconds=20, what="more attempts than it is worth")
    return scene.here.state(message) != "failed"


def exchanged_token(scene: Scene) -> object:
    """C12: the account has another token than when the worker started; return what the vendor says to the old one."""
    here, account = scene.here, scene.number.account
    provider = here.system.services.reader.provider(account.provider)
    here.system.services.connecting.rotate(account.id, provider, {"accessToken": "EAAold"})
    here.replace_workers(1, without=scene.without, ACCOUNTS_TTL_SECONDS="1")
    [chat] = here.customers(1).values()
    here.system.services.connecting.rotate(account.id, provider, {"accessToken": ACCESS_TOKEN})
    let_pass(2.5)
    before = scene.refusals("190")
    message = here.write(chat)
    until(lambda: scene.refusals("190") > before or scene.seen(message)[1], seconds=20, what="an answer")
    return scene.seen(message)[1]


def many_to_one(scene: Scene) -> object:
    """C13: all that is due to one customer leaves at once; return whether the vendor had to say so."""
    [chat] = scene.here.customers(1).values()
    scene.here.kill_workers()
    scene.number.accountant.limit(1 / 6, per="pair", burst=45)
    scene.here.write_all([chat], 60)
    before = scene.refusals("131056")
    scene.here.hire(1, without=scene.without)
    until(lambda: scene.refusals("131056") > before, seconds=60, what="the vendor to find it too fast")
    return True


#: Fault -> mistake, what happens, and what is seen of it. Beside it stands what should be seen.
CONTROLS: dict[str, tuple[str, Callable[[Scene], object], object]] = {
    "C1": ("unknown is sent again", sent_and_not_told("close_after_accept"), 2),  # 1
    "C2": ("lost is sent again", killed_after, 2),  # 1
    "C3": ("lost is sent again", killed_before, True),  # unknown, until a person asks
    "C4": ("unreachable is given up", unreachable_once, ("failed", 0)),  # read, 1
    "C5": ("a throttle is an attempt", throttled_once, {2}),  # {1}
    "C6": ("no breaker", down, 0),  # one pause, and a probe an interval
    "C7": ("what is final is tried again", refused("131026"), True),  # failed at once
    "C7, the account": ("a bad token fails the message", refused("190"), "failed"),  # queued, the account is paused
    "C8": ("everybody is heard", asked_twice, ([202, 202], 2)),  # 202, 409 and 1
    "C9": ("the last word wins", told_before, ("accepted", 1)),  # read, 1
    "C10": ("unknown is sent again", sent_and_not_told("garbage"), 2),  # 1
    "C11": ("no budget", failing_always, True),  # failed after three attempts
    "C12": ("accounts as at the start", exchanged_token, 0),  # 1
    "C13": ("no pace", many_to_one, True),  # never
}


@pytest.mark.parametrize("fault", CONTROLS)
def test_without_its_mechanism_the_account_does_not_balance(desk: Desk, fault: str) -> None:
    here, number = desk
    without, play, seen = CONTROLS[fault]
    assert play(Scene(here, number, without)) == seen
