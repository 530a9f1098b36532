"""ChatAPI's customers of the bicycle workshop, a group among them, and how each of them begins.

Deliberately data only.
"""

from dataclasses import dataclass

from sandbox.simulators.stories import SMALL_TALK, Person, Step, Story, team


@dataclass(frozen=True, slots=True)
class Group(Person):
    """A group: its number is the creator's with the time of its creation; its members take turns."""

    members: tuple[Person, ...] = ()


RIDERS = (
    Person("Marisol Ibarra", "447700900318"),
    Person("Ewan Fraser", "447700900702"),
    Person("Linh Tran", "447700900856"),
)

CAST: tuple[Person, ...] = (
    Person("Yusuf Aydın", "447700900129"),
    Group("Saturday riders", "447700900318-1793001600", members=RIDERS),
    Person("Camille Roy 🚴", "14155550192"),
    Person("Petra Novák", "447700900583"),
    Person("Kofi Mensah", "14155550119"),
)

#: Openings; the people take them in turn.
STORIES: tuple[Story, ...] = (
    (
        Step("text", "Hi! Did my spare part arrive?"),
        team("The blue or the red one?"),
        Step("reply", "The blue one"),
        Step("image", "It replaces this"),
        team("It is here."),
    ),
    (
        Step("text", "Who rides along on Saturday?"),
        Step("text", "Me, from the canal bridge"),
        team("We bring the tools."),
        Step("location", "Canal bridge"),
    ),
    (
        Step("voice"),
        Step("text", "Désolée, je suis en route 😅"),
        team("No hurry."),
        Step("document", "receipt 4471.pdf"),
    ),
    (
        Step("text", "Máte dětskou sedačku?"),
        Step("card", "My husband will call you"),
        team("We have two."),
        Step("button", "Reserve one"),
    ),
    (
        Step("video", "Listen to this noise"),
        team("That is the bottom bracket."),
        Step("reply", "What does that cost?"),
    ),
)

#: What only ChatAPI's customers do.
TALK: Story = (
    *SMALL_TALK,
    Step("reply", "Yes, that one"),
    Step("document", "invoice 118.pdf"),
    Step("forward", "Road closed on Friday, please share"),
)
