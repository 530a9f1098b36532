"""Metrics: one catalogue, closed labels, and one view over all processes that share a directory."""

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from runtime import metrics

ROOT = Path(__file__).parents[2]
#: Labels whose values are few and known; a number, a name or a tenant is none of them.
CLOSED = {"provider", "outcome", "job", "status", "state", "kind", "route", "method", "reason", "type", "scope"}
COUNT = """
from runtime.metrics import FENCED_WRITES, INTAKE_WAITING, forget_process, render
import os
FENCED_WRITES.inc()
INTAKE_WAITING.set(5)
if os.environ.get("ENDED"):
    forget_process(int(os.environ["ENDED"]))
print(os.getpid())
print(render().decode())
"""


def series() -> list[MetricWrapperBase]:
    return [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]


def test_every_series_has_our_prefix_a_sentence_and_closed_labels() -> None:
    assert len(series()) > 15
    for one in series():
        (described,) = one.describe()
        assert described.name.startswith("hookline_")
        assert described.documentation.endswith(".")
        assert set(one._labelnames) <= CLOSED, described.name


def test_render_shows_what_was_counted() -> None:
    before = _value(metrics.render().decode())

    metrics.FENCED_WRITES.inc(3)

    assert _value(metrics.render().decode()) - before == 3


def test_processes_that_share_a_directory_are_shown_as_one(tmp_path: Path) -> None:
    first = _run(PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    second = _run(PROMETHEUS_MULTIPROC_DIR=str(tmp_path))

    assert [_value(first), _value(second)] == [1, 2]
    assert "hookline_intake_waiting 10.0" in second


def test_gauges_of_a_process_that_ended_are_forgotten(tmp_path: Path) -> None:
    first = _run(PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    pid = first.split()[0]

    second = _run(PROMETHEUS_MULTIPROC_DIR=str(tmp_path), ENDED=pid)

    assert "hookline_intake_waiting 5.0" in second
    assert _value(second) == 2


def _run(**environment: str) -> str:
    found = subprocess.run(
        [sys.executable, "-c", COUNT],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout


def _value(text: str) -> float:
    lines = [line for line in text.splitlines() if line.startswith("hookline_fenced_writes_total")]
    return float(lines[0].split()[-1])
