"""One office for all journeys of sending: a whole Hookline whose three numbers send to accountants.

It is started once for the folder; each test begins with nothing amiss. Deliberately no tests here.
"""

from collections.abc import Iterator

import pytest

from tests.support.outbound import Number, Office, another_number, office

Desk = tuple[Office, Number]
#: The token that the third number's vendor takes; its account begins with another.
FRESH_TOKEN = "EAAfresh"


@pytest.fixture(scope="package")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with (
        office(tmp_path_factory.mktemp("sending")) as (here, number),
        # Before anybody runs: what a number is sent before all processes know it is set aside.
        another_number(here, "555000111222333", "15550192755") as here.other,
        another_number(here, "555000111222444", "15550192766", takes=FRESH_TOKEN) as here.moved,
    ):
        here.open()
        yield here, number


@pytest.fixture
def desk(opened: Desk) -> Desk:
    """The office with nothing amiss and two workers."""
    here, number = opened
    number.accountant.recover()
    here.forget_throttles()
    here.hire(2 - len(here.workers))
    return opened
