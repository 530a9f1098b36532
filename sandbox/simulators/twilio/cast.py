"""Twilio's customers of the bicycle workshop, how each of them begins, and what only Twilio tells.

Deliberately data only. The team writes elsewhere: of its messages Twilio tells nothing but how they fare.
"""

from sandbox.simulators.stories import SMALL_TALK, Person, Step, Story, team

CAST = (
    Person("Hannah Okafor", "447700900215", "GB.31559204478160273945"),
    Person("Diego Fuentes", "14155550164"),
    Person("Ines Carvalho 🌊", "447700900668", "GB.66042918375520184937"),
    # Hides the number: only the business-scoped id is told.
    Person("Noor Haddad", "", "GB.72918340556601284317"),
    Person("Ola Lindqvist", "14155550173"),
    Person("Bram de Wit", "447700900437"),
)

#: Openings; the people take them in turn.
STORIES: tuple[Story, ...] = (
    (
        Step("text", "Hello, can I rent a tandem for Sunday?"),
        team("You can! From 10 to 18, 38 for the day."),
        Step("button", "Book the tandem"),
        Step("reply", "And is a child seat possible on that one?"),
    ),
    (
        Step("album", "Both sides of the bent rim"),
        team("That needs a new rim, sorry."),
        Step("reply", "How much would this one cost?"),
        Step("voice"),
    ),
    (
        Step("text", "Bom dia! Where do I drop the bike off?"),
        Step("location", "Harbour gate"),
        team("Right there, ring the bell."),
        Step("button", "I am here"),
    ),
    (
        Step("text", "I would rather not share my number, is that all right?"),
        team("Of course."),
        Step("image", "This is the bike"),
    ),
    (
        Step("document", "insurance claim 118.pdf"),
        Step("text", "This is the form of my insurance & they want 2 signatures = yours + mine"),
        team("Signed, you can collect it."),
    ),
    (
        Step("card", "My neighbour, she will collect the bike"),
        Step("location", ""),
        team("Fine, we know her."),
        Step("forward", "Bike day on Saturday 🎉\nEverybody is welcome!"),
    ),
)

#: What only Twilio's customers do.
TALK: Story = (
    *SMALL_TALK,
    Step("album", "Before and after"),
    Step("reply", "Yes, exactly that"),
    Step("forward", "Road closed on Friday, please share"),
)
