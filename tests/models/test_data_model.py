"""docs/data-model.md is read by operators and integrators, so it says what the code does.

After a change: `python -m tests.models.notation`, and a look at the prose.
"""

import pytest

from tests.models.notation import INDEX_TABLE, PATH, index_rows, list_pattern, lists

TEXT = PATH.read_text()


@pytest.mark.parametrize("heading", lists())
def test_the_fields_of_every_collection_are_listed(heading: str) -> None:
    found = list_pattern(heading).search(TEXT)
    assert found, f"no list under {heading}"
    assert found[1].splitlines() == lists()[heading]


def test_the_indexes_are_listed_and_no_others() -> None:
    found = INDEX_TABLE.search(TEXT)
    assert found, "no table of indexes"
    assert found[1].splitlines() == index_rows()
