import json
from argparse import Namespace
from pathlib import Path

import pytest

from benchmarks import figures
from benchmarks.figures import Promise, judge, publish, ratio, spread, table

FASTER = Promise("P1", "ours ÷ theirs", now=4, goal=8)
SLOWEST = Promise("P3", "ours ÷ theirs, p99", now=0.4, goal=0.15, at_most=True)


def test_a_ratio_is_taken_within_each_round() -> None:
    found = ratio([100, 300, 900], [50, 100, 100])
    assert (found.values, found.median) == ((2, 3, 9), 3)


def test_rounds_must_be_complete() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio([1, 2], [1])


@pytest.mark.parametrize(("value", "verdict"), [(3.9, "MISSED"), (4, "holds"), (7.9, "holds"), (8, "goal")])
def test_more_is_better_for_a_rate(value: float, verdict: str) -> None:
    assert FASTER.row(spread([value]))["verdict"] == verdict


@pytest.mark.parametrize(("value", "verdict"), [(0.41, "MISSED"), (0.4, "holds"), (0.16, "holds"), (0.15, "goal")])
def test_less_is_better_for_a_time(value: float, verdict: str) -> None:
    assert SLOWEST.row(spread([value]))["verdict"] == verdict


def test_the_median_is_shown_with_its_spread() -> None:
    assert spread([1500, 900, 1000]).shown() == "1,000 (900–1,500)"
    assert spread([0.126]).shown(2) == "0.13"


def test_a_short_run_beyond_its_bounds_fails_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    found = {"P1": spread([1.9]), "P3": spread([0.9])}
    assert judge(found, [FASTER, SLOWEST], {"P1": 2, "P3": 1}) == 1
    assert capsys.readouterr().err == "P1 is 1.90, which is beyond 2\n"
    assert judge({"P1": spread([2.0])}, [FASTER, SLOWEST], {"P1": 2, "P3": 1}) == 0


def test_a_table_has_one_line_for_each_row() -> None:
    assert table([{"a": 1, "long name": "x"}, {"a": "two", "long name": "y"}]).splitlines() == [
        "| a   | long name |",
        "| --- | --------- |",
        "| 1   | x         |",
        "| two | y         |",
    ]


def test_results_are_recorded_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "RESULTS.md"
    results.write_text("# Results\n")
    monkeypatch.setattr(figures, "RESULTS", results)
    setting = {"date": "2026-01-02", "kernel": "6.1"}
    chosen = Namespace(json=None, record=False, command="python -m benchmarks.ingest --record")
    publish("Ingest", chosen, setting, ["| a |"], {})
    assert results.read_text() == "# Results\n"
    chosen.record, chosen.json = True, tmp_path / "found.json"
    publish("Ingest", chosen, setting, ["| a |"], {"runs": [spread([1.0])]})
    told = "\n## Ingest, 2026-01-02\n\n`python -m benchmarks.ingest --record`\n\nkernel 6.1\n\n| a |\n"
    assert results.read_text() == f"# Results\n{told}"
    assert json.loads(chosen.json.read_text()) == {"machine": setting, "runs": {"runs": [{"values": [1.0]}]}}
