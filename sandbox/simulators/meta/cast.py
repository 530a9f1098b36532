"""The people of the demo and what they write about: customers of a bicycle workshop that does not exist.

Every number lies in a range set aside for fiction. Deliberately data only: `conversation` decides who speaks
when.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """One customer as Meta describes them."""

    name: str
    #: wa_id: digits without a plus.
    number: str
    #: Business-scoped user id.
    user_id: str


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of a conversation: who acts (`by`), how (`kind`) and the words or numbers it needs."""

    kind: str
    words: str = ""
    by_team: bool = False


CAST = (
    Person("Priya Raman", "447700900381", "GB.48213907715562204913"),
    Person("Marco Díaz", "14155550137", "US.70331845520917746028"),
    Person("Søren Bjerg", "447700900162", "GB.51930274486610927355"),
    Person("Amélie Laurent", "447700900544", "GB.20948817365501284476"),
    Person("Zoë O’Hara 🚲", "14155550148", "US.83650192744018273645"),
    Person("Tomasz Żak", "447700900729", "GB.11873640295518830467"),
    Person("李 小龙", "14155550187", "US.42918830571162904738"),
    Person("Grace Adeyemi", "447700900893", "GB.90176243385519203847"),
)


def _team(words: str) -> Step:
    return Step("text", words, by_team=True)


#: Openings, each a small story; the people take them in turn.
STORIES: tuple[tuple[Step, ...], ...] = (
    (
        Step("text", "Hi, is the 09:40 slot still free?"),
        _team("Good morning! It is. Shall I book it for you?"),
        Step("button", "Yes, book it"),
        _team("Done, see you at 09:40."),
        Step("reaction", "👍"),
    ),
    (
        Step("text", "My rear wheel makes a noise / wobbles at speed"),
        Step("image", "The spoke near the valve"),
        _team("That spoke is broken. We can fix it while you wait."),
        Step("voice"),
    ),
    (
        Step("text", "Where are you exactly?"),
        _team("14 Harbour Row, the yellow door."),
        Step("location", "Old fish market"),
        Step("text", "I am here, which door is it? 😅"),
    ),
    (
        Step("image", "Ça coûte combien à réparer ?"),
        Step("text", "Et c'est pour samedi si possible"),
        _team("About 45, ready on Friday afternoon."),
        Step("reaction", "❤️"),
    ),
    (
        Step("voice"),
        Step("text", "sorry, voice message was an accident"),
        _team("No problem :)"),
        Step("reaction", "😂"),
    ),
    (
        Step("text", "Order 4471: could you add mudguards?"),
        _team("Black or silver?"),
        Step("button", "Black"),
        Step("text", "<b>matt</b> black & long ones, 100% sure"),
    ),
    (
        Step("text", "你好,我的自行车修好了吗?"),
        Step("image", ""),
        _team("It is ready, you can pick it up until 18:00."),
    ),
    (
        Step("text", "Do you also repair cargo bikes?"),
        Step("location", ""),
        _team("We do, we can also pick it up there."),
        Step("text", "Perfect, thank you!"),
        Step("reaction", "🙏"),
    ),
)

#: What people say when their story is told.
SMALL_TALK = (
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
    _team("We are open from 9 to 18, Sundays closed."),
    _team("Sure, a moment please."),
    _team("Bring it by, we will have a look."),
)
