"""Settings: what is read from where, and how a wrong value is told."""

import dataclasses
import fcntl
import json
import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from runtime.crypto import Secret
from runtime.errors import SettingsError
from runtime.settings import (
    DURATIONS,
    LOCK_FILE,
    MAY_BE_ZERO,
    RUN_FILE,
    Settings,
    load_settings,
    use_running,
    variable_names,
)

ROOT = Path(__file__).parents[2]
KEY = Fernet.generate_key().decode()
NEEDED = {
    "MONGODB_URI": "mongodb://hookline:canary-mongo@db.example/?replicaSet=rs0",
    "REDIS_URL": "redis://:canary-redis@queue.example:6379/0",
    "ENCRYPTION_KEYS": KEY,
}
#: What settings tell, by variable: a value that differs from the default, and what becomes of it.
READ: dict[str, tuple[str, object]] = {
    "MONGODB_URI": ("mongodb+srv://cluster.example", Secret("mongodb+srv://cluster.example")),
    "MONGODB_DATABASE": ("inbox-2", "inbox-2"),
    "REDIS_URL": ("rediss://queue.example", Secret("rediss://queue.example")),
    "BROKER_URL": ("amqp://rabbit.example", Secret("amqp://rabbit.example")),
    "ENCRYPTION_KEYS": (f"{KEY},{KEY}", (Secret(KEY), Secret(KEY))),
    "PUBLIC_URL": ("https://inbox.example/", "https://inbox.example"),
    "MEDIA_URL": (
        "s3://media?endpoint=https://s3.example&region=eu-west-1",
        "s3://media?endpoint=https://s3.example&region=eu-west-1",
    ),
    "LOG_FORMAT": ("console", "console"),
    "LOG_LEVEL": ("WARNING", "WARNING"),
    "REPORTING_TIMEZONE": ("Europe/London", "Europe/London"),
    "INGEST_BIND": ("[::1]:9001", "[::1]:9001"),
    "API_BIND": ("127.0.0.1:9002", "127.0.0.1:9002"),
    "METRICS_BIND": ("0.0.0.0:65535", "0.0.0.0:65535"),
    "INGEST_WORKERS": ("3", 3),
    "INGEST_THREADS": ("8", 8),
    "API_THREADS": ("9", 9),
    "WORKER_THREADS": ("5", 5),
    "APPLY_LANES": ("4", 4),
    "SEND_THREADS": ("6", 6),
    "RATE_LIMIT": ("10/second", "10/second"),
    "MAX_BODY_BYTES": ("2048", 2048),
    "INTAKE_QUEUE_SIZE": ("7", 7),
    "INTAKE_QUEUE_BYTES": ("20000000", 20_000_000),
    "INTAKE_TIMEOUT_SECONDS": ("2.5", timedelta(seconds=2.5)),
    "LEASE_SECONDS": ("30", timedelta(seconds=30)),
    "SWEEP_AFTER_SECONDS": ("1", timedelta(seconds=1)),
    "ACCOUNTS_TTL_SECONDS": ("0.5", timedelta(seconds=0.5)),
    "WINDOW_MARGIN_SECONDS": ("45", timedelta(seconds=45)),
    "RETENTION_DAYS": ("1", timedelta(days=1)),
    "RETENTION_FAILED_DAYS": ("400", timedelta(days=400)),
    "FOLLOW_UP_GRACE_MINUTES": ("90", timedelta(minutes=90)),
    "FOLLOW_UP_LATE_HOURS": ("2", timedelta(hours=2)),
    "WINDOW_REMINDER_MINUTES": ("30", timedelta(minutes=30)),
    "READ_RECEIPTS": ("off", "off"),
}
WRONG: list[tuple[str, str]] = [
    *(
        ("MEDIA_URL", value)
        for value in ("gridfs://other", "s3://", "s3://a/b#c", "file:///tmp", "https://s3.example", "media")
    ),
    *((name, value) for name in ("MONGODB_URI",) for value in ("db.example", "http://db.example", "mongodb://")),
    *(
        (name, value)
        for name in ("REDIS_URL", "BROKER_URL")
        for value in (
            "queue.example",
            "redis://",
            "redis://:canary/x@h",
            "redis://h:99999",
            "redis://[bad",
            "mongodb://h",
        )
    ),
    *(("ENCRYPTION_KEYS", value) for value in ("short", f"{KEY},", f"{KEY},nonsense", "ключ")),
    *(
        ("PUBLIC_URL", value)
        for value in ("inbox.example", "ftp://inbox.example", "https://", "http://[::1", "http://h:x")
    ),
    *(("MONGODB_DATABASE", value) for value in ("a.b", "a b", "$x", "x" * 39)),
    *(("LOG_FORMAT", value) for value in ("yaml", "JSON")),
    *(("LOG_LEVEL", value) for value in ("LOUD", "info")),
    *(("REPORTING_TIMEZONE", value) for value in ("Mars/Base", "../../etc/passwd", "/etc/passwd")),
    *(
        (name, value)
        for name in ("INGEST_BIND", "API_BIND", "METRICS_BIND")
        for value in ("8001", ":8001", "h:0", "h:65536", "h:99999", "h:x", "a b:80", "h:８０")
    ),
    *(
        (name, value)
        for name in (
            *("INGEST_WORKERS", "INGEST_THREADS", "API_THREADS", "WORKER_THREADS", "APPLY_LANES", "SEND_THREADS"),
            "INTAKE_QUEUE_SIZE",
        )
        for value in ("0", "-1", "two", "1.5", "9" * 9)
    ),
    *(("MAX_BODY_BYTES", value) for value in ("1023", str(16 * 1024 * 1024), "4MB")),
    *(("INTAKE_QUEUE_BYTES", value) for value in ("0", "16000000", "64MB", "9" * 12)),
    *(("RATE_LIMIT", value) for value in ("600", "600/fortnight", "-1/second")),
    *(
        (f"{name}_{unit}".upper(), value)
        for name, unit in DURATIONS.items()
        for value in ("0", "-1", "soon", "nan", "inf", "1e300")
        if not (value == "0" and name in MAY_BE_ZERO)
    ),
    *(("READ_RECEIPTS", value) for value in ("yes", "ON", "0")),
    *((f"{slug}_API_URL", "not a url") for slug in ("META", "TWILIO", "CHATAPI")),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """An environment with nothing but what is needed, in a directory without `.env`."""
    for name in os.environ:
        if name in variable_names() or name.endswith("_API_URL"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def put(**values: str) -> None:
        for name, value in (NEEDED | values).items():
            monkeypatch.setenv(name, value)

    put()
    return put


def test_defaults_hold_where_nothing_is_set() -> None:
    settings = load_settings()

    assert settings.mongodb_uri == Secret(NEEDED["MONGODB_URI"])
    assert settings.broker_url == settings.redis_url == Secret(NEEDED["REDIS_URL"])
    for field in dataclasses.fields(Settings):
        if field.default is not dataclasses.MISSING:
            assert getattr(settings, field.name) == field.default, field.name
    assert settings.api_urls == {}


def test_this_file_knows_every_variable() -> None:
    assert set(READ) == set(variable_names())
    assert {name for name, _ in WRONG} >= set(variable_names())


@pytest.mark.parametrize("variable", READ)
def test_a_variable_is_read(variable: str, environment: Callable[..., None]) -> None:
    value, meaning = READ[variable]
    environment(**{variable: value})

    told = load_settings()

    field = next(f.name for f in dataclasses.fields(Settings) if variable == _variable(f.name))
    assert getattr(told, field) == meaning
    assert getattr(told, field) != getattr(_defaults(), field, None) or variable in NEEDED


# Without the key, which is another in each process: all processes of a run must name a test alike.
@pytest.mark.parametrize(
    ("variable", "value"), WRONG, ids=[f"{name}-{value}".replace(KEY, "key") for name, value in WRONG]
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    variable: str, value: str, environment: Callable[..., None]
) -> None:
    environment(**{variable: value})

    with pytest.raises(SettingsError) as refused:
        load_settings()

    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{variable}: ")
    assert len(line) > len(f"{variable}: ") + 10
    assert "canary" not in line
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("variable", NEEDED)
@pytest.mark.parametrize("empty", [True, False])
def test_what_is_needed_and_missing_or_empty_is_named(
    variable: str, empty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if empty:
        monkeypatch.setenv(variable, "")
    else:
        monkeypatch.delenv(variable)

    with pytest.raises(SettingsError, match=rf"^{variable}: .*not set"):
        load_settings()


def test_all_wrong_values_are_told_at_once(environment: Callable[..., None]) -> None:
    environment(MONGODB_URI="x", LOG_LEVEL="LOUD", LEASE_SECONDS="soon", ENCRYPTION_KEYS="k")

    with pytest.raises(SettingsError) as refused:
        load_settings()

    named = [line.partition(":")[0] for line in str(refused.value).splitlines()]
    assert sorted(named) == ["ENCRYPTION_KEYS", "LEASE_SECONDS", "LOG_LEVEL", "MONGODB_URI"]


@pytest.mark.parametrize("variable", sorted(set(READ) - set(NEEDED)))
def test_an_empty_value_is_an_unset_one(variable: str, environment: Callable[..., None]) -> None:
    environment(**{variable: ""})

    assert load_settings() == _defaults()


def test_env_file_is_read_and_the_environment_wins(environment: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "MONGODB_DATABASE=from_file\nLEASE_SECONDS=33\nLOG_LEVEL=\nMETA_API_URL=http://127.0.0.1:9/\n"
    )
    environment(LEASE_SECONDS="44")

    settings = load_settings()

    assert settings.mongodb_database == "from_file"
    assert settings.lease == timedelta(seconds=44)
    assert settings.log_level == "INFO"
    assert settings.api_urls == {"meta": "http://127.0.0.1:9"}


def test_env_file_of_a_parent_directory_is_none_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("MONGODB_DATABASE=from_parent\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")

    assert load_settings().mongodb_database == "hookline"


def test_vendor_hosts_are_replaced_by_slug(environment: Callable[..., None]) -> None:
    environment(META_API_URL="http://127.0.0.1:9100/", CHATAPI_API_URL="https://chat.example/v1")

    assert load_settings().api_urls == {"meta": "http://127.0.0.1:9100", "chatapi": "https://chat.example/v1"}


def test_settings_are_frozen_and_show_no_secret() -> None:
    settings = load_settings()

    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.log_level = "DEBUG"  # type: ignore[misc]
    for shown in (repr(settings), str(settings), f"{settings}"):
        assert "canary" not in shown
        assert KEY not in shown


def test_keys_open_what_the_newest_seals(environment: Callable[..., None]) -> None:
    older = load_settings().keyring().seal("s", context="c")
    environment(ENCRYPTION_KEYS=f"{Fernet.generate_key().decode()}, {KEY}")

    assert load_settings().keyring().open(older, context="c") == Secret("s")


def test_a_running_system_is_used_in_place_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"environment": {"MONGODB_DATABASE": "of_run", "LEASE_SECONDS": 9}}))
    before = dict(os.environ)
    with (tmp_path / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            use_running(tmp_path)
            settings = load_settings()
        finally:
            os.environ.clear()
            os.environ.update(before)

    assert (settings.mongodb_database, settings.lease) == ("of_run", timedelta(seconds=9))


@pytest.mark.parametrize("content", [None, "", "{", "[]", "3", "{}", '{"environment": []}', '{"environment": null}'])
def test_where_nothing_runs_one_line_says_so(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / RUN_FILE).write_text(content)

    with pytest.raises(SettingsError, match=rf"^--data {tmp_path}: no `hookline up --data {tmp_path}` is running$"):
        use_running(tmp_path)


@pytest.mark.parametrize("locked_once", [True, False])
def test_what_a_killed_system_left_behind_is_not_used(locked_once: bool, tmp_path: Path) -> None:
    (tmp_path / RUN_FILE).write_text(json.dumps({"environment": {"MONGODB_DATABASE": "of_run"}}))
    if locked_once:
        (tmp_path / LOCK_FILE).touch()

    with pytest.raises(SettingsError, match="is running; the last one was killed"):
        use_running(tmp_path)

    assert "of_run" not in os.environ.values()


#: Variables that are not settings of ours: they are read by a library, the command line, or by a vendor's slug.
ELSEWHERE = {"PROMETHEUS_MULTIPROC_DIR", "HOOKLINE_DATA", "META_API_URL", "TWILIO_API_URL", "CHATAPI_API_URL"}


def test_env_example_lists_every_variable_once_and_no_other() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    listed = [found[1] for line in lines if (found := re.match(r"#? ?([A-Z][A-Z0-9_]+)=", line))]

    assert sorted(listed) == sorted({*variable_names(), *ELSEWHERE})


def test_env_example_copied_as_it_is_tells_what_must_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    for name in NEEDED:
        monkeypatch.delenv(name)

    with pytest.raises(SettingsError) as refused:
        load_settings()

    named = {line.partition(":")[0] for line in str(refused.value).splitlines()}
    assert named == {"MONGODB_URI", "REDIS_URL", "ENCRYPTION_KEYS"}


def test_env_example_tells_the_defaults(tmp_path: Path, environment: Callable[..., None]) -> None:
    """What stands behind a `#` there is what holds without it."""
    text = (ROOT / ".env.example").read_text()
    (tmp_path / ".env").write_text(re.sub(r"^# ?([A-Z][A-Z0-9_]+=)", r"\1", text, flags=re.MULTILINE))
    environment(BROKER_URL=NEEDED["REDIS_URL"])

    told = dataclasses.replace(load_settings(), api_urls={})

    assert told == _defaults()


def _variable(field: str) -> str:
    return f"{field}_{DURATIONS[field]}".upper() if field in DURATIONS else field.upper()


def _defaults() -> Settings:
    return Settings(
        mongodb_uri=Secret(NEEDED["MONGODB_URI"]),
        redis_url=Secret(NEEDED["REDIS_URL"]),
        broker_url=Secret(NEEDED["REDIS_URL"]),
        encryption_keys=(Secret(KEY),),
    )
