"""Meta's customers of the bicycle workshop, and how each of them begins.

Deliberately data only; what people say later is the same everywhere.
"""

from sandbox.simulators.stories import Person, Step, Story, team

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

#: Openings, each a small story; the people take them in turn.
STORIES: tuple[Story, ...] = (
    (
        Step("text", "Hi, is the 09:40 slot still free?"),
        team("Good morning! It is. Shall I book it for you?"),
        Step("button", "Yes, book it"),
        team("Done, see you at 09:40."),
        Step("reaction", "👍"),
    ),
    (
        Step("text", "My rear wheel makes a noise / wobbles at speed"),
        Step("image", "The spoke near the valve"),
        team("That spoke is broken. We can fix it while you wait."),
        Step("voice"),
    ),
    (
        Step("text", "Where are you exactly?"),
        team("14 Harbour Row, the yellow door."),
        Step("location", "Old fish market"),
        Step("text", "I am here, which door is it? 😅"),
    ),
    (
        Step("image", "Ça coûte combien à réparer ?"),
        Step("text", "Et c'est pour samedi si possible"),
        team("About 45, ready on Friday afternoon."),
        Step("reaction", "❤️"),
    ),
    (
        Step("voice"),
        Step("text", "sorry, voice message was an accident"),
        team("No problem :)"),
        Step("reaction", "😂"),
    ),
    (
        Step("text", "Order 4471: could you add mudguards?"),
        team("Black or silver?"),
        Step("button", "Black"),
        Step("text", "<b>matt</b> black & long ones, 100% sure"),
    ),
    (
        Step("text", "你好,我的自行车修好了吗?"),
        Step("image", ""),
        team("It is ready, you can pick it up until 18:00."),
    ),
    (
        Step("text", "Do you also repair cargo bikes?"),
        Step("location", ""),
        team("We do, we can also pick it up there."),
        Step("text", "Perfect, thank you!"),
        Step("reaction", "🙏"),
    ),
)
