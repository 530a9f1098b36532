"""What is deployed is what is developed: compose, image, rules and dashboards, read without running them."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from runtime import metrics

ROOT = Path(__file__).parents[2]
#: What PromQL itself brings.
_SERIES = re.compile(r"\bhookline_[a-z_]+")


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {
        name.strip(): command.strip() for name, _, command in (line.partition(":") for line in lines if line.strip())
    }


def exposed() -> set[str]:
    """Every series name a scrape can show."""
    # Those that the store computes are declared as name, help and labels.
    found = {one[0] for one in vars(metrics).values() if isinstance(one, tuple) and str(one[0]).startswith("hookline_")}
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            described = metric.describe() if hasattr(metric, "describe") else []
            for one in described:
                found |= {one.name + suffix for suffix in suffixes[one.type]}
    return found


def test_compose_runs_the_processes_of_the_procfile() -> None:
    ours = {
        name: f"hookline {' '.join(service['command'])}"
        for name, service in compose()["services"].items()
        if service.get("image", "").startswith("hookline")
    }

    assert ours == procfile()


def test_every_service_of_compose_has_an_image_and_is_watched() -> None:
    for name, service in compose()["services"].items():
        assert service.get("image") or service.get("build"), name
        assert service.get("restart") == "unless-stopped", name
        assert set(service.get("depends_on", {})) <= set(compose()["services"]), name


def test_files_that_compose_mounts_exist() -> None:
    for name, service in compose()["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name} mounts {source}"


def test_the_image_holds_every_room() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))

    assert copied == {"runtime", "models", "providers", "services", "ingest", "workers", "api", "cli", "sandbox"}


def test_the_image_holds_whatever_a_setting_may_ask_for() -> None:
    """An extra that a setting names must be in the image, or that setting stops a container."""
    asked = set(re.findall(r"\(extra `(\w+)`", (ROOT / ".env.example").read_text()))
    (installed,) = re.findall(r"'\.\[([\w,]+)\]'", (ROOT / "Dockerfile").read_text())
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert asked == extras.keys() - {"embedded", "dev"}
    assert set(installed.split(",")) == asked


def labels_of(series: str) -> set[str] | None:
    """The labels that a series is exposed with, None where nobody exposes it."""
    for metric in vars(metrics).values():
        if isinstance(metric, tuple) and metric[0] == series:
            return set(metric[2])
        if isinstance(metric, MetricWrapperBase) and re.fullmatch(
            rf"{metric._name}(_total|_bucket|_sum|_count)?", series
        ):
            return {*metric._labelnames, *(["le"] if series.endswith("_bucket") else [])}
    return None


def queries() -> Iterator[tuple[str, str]]:
    """Every query of the rules and the dashboards, by what asks it."""
    groups = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())["groups"]
    yield from ((rule["alert"], rule["expr"]) for group in groups for rule in group["rules"])
    for path in (ROOT / "deploy/grafana/dashboards").glob("*.json"):
        for panel in json.loads(path.read_text())["panels"]:
            yield from ((panel["title"], target["expr"]) for target in panel["targets"])


def test_queries_select_and_group_by_labels_that_the_series_have() -> None:
    """A label that nobody sets makes an alert that never fires."""
    asked = list(queries())
    assert len(asked) > 30
    for title, expression in asked:
        known = set.intersection(*(labels_of(name) or set() for name in _SERIES.findall(expression)))
        for grouping in re.findall(r"\bby \(([^)]*)\)", expression):
            assert {word.strip() for word in grouping.split(",")} <= known, title
        for selected in re.finditer(r"(hookline_[a-z_]+)\{([^}]*)\}", expression):
            named = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selected[2]))
            assert named <= (labels_of(selected[1]) or set()), title


def test_rules_use_only_series_we_expose() -> None:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    assert rules
    for rule in rules:
        assert set(_SERIES.findall(rule["expr"])) <= exposed(), rule["alert"]
        assert rule["expr"].count("(") == rule["expr"].count(")"), rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert {"summary", "description"} <= set(rule["annotations"])


def test_dashboards_use_only_series_we_expose() -> None:
    for path in (ROOT / "deploy/grafana/dashboards").glob("*.json"):
        panels = json.loads(path.read_text())["panels"]
        assert panels
        for panel in panels:
            for target in panel["targets"]:
                assert set(_SERIES.findall(target["expr"])) <= exposed(), panel["title"]


def test_every_series_is_documented() -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in exposed()}
    documented = set(_SERIES.findall(page))

    assert {name for name in families if not any(one.startswith(name) for one in documented)} == set()
    assert {name for name in documented if not any(name.startswith(family) for family in families)} == set()


@pytest.mark.parametrize("job", ["ingest", "api", "worker", "clock"])
def test_prometheus_scrapes_every_process(job: str) -> None:
    jobs = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]

    assert job in {one["job_name"] for one in jobs}
