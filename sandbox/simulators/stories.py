"""What people write about: the customers of a bicycle workshop that does not exist.

Deliberately data only: each vendor's `cast` says who they are, `conversation` who speaks when, and a vendor's
scribe what a step looks like there.
"""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """One customer as a vendor describes them; every number lies in a range set aside for fiction."""

    name: str
    #: Digits without a plus; empty for who hides the number.
    number: str
    #: Business-scoped user id, where the vendor tells one.
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of a conversation: how somebody acts (`kind`), and the words or numbers that needs."""

    kind: str
    words: str = ""
    by_team: bool = False


Story = tuple[Step, ...]

#: Kinds that refer to what the team said; without that they are plain words.
REFERRING = frozenset({"reaction", "reply"})


def team(words: str) -> Step:
    """Return what the team says."""
    return Step("text", words, by_team=True)


def somewhere(chance: random.Random) -> tuple[float, float]:
    """Return a place near the harbour: latitude and longitude."""
    return round(54.48 + chance.random() / 50, 6), round(-0.62 + chance.random() / 50, 6)


#: What people say when their story is told.
SMALL_TALK: Story = (
    Step("text", "Quick question: are you open on Sunday?"),
    Step("text", "Could you send me the invoice again?"),
    Step("text", "Thanks!"),
    Step("text", "The brakes squeak again, what can I do?"),
    Step("text", "https://shop.example/pump/v2 - does this fit?"),
    Step("image", "This one?"),
    Step("image", ""),
    Step("voice"),
    Step("location", "Canal bridge"),
    Step("button", "Tomorrow morning"),
    Step("reaction", "👍"),
    team("We are open from 9 to 18, Sundays closed."),
    team("Sure, a moment please."),
    team("Bring it by, we will have a look."),
)
