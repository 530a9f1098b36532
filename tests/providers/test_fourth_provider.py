"""A fourth vendor is one file and its fixtures: all the rest follows from what the file says of itself.

The conformance suite runs over it with all others. Here it is put to use: lent to the registry, and dropped as a
file into a copy of the product, in which nothing else is changed.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

import providers
from api.app import build
from api.desk import Desk
from ingest.committer import Committer
from ingest.door import StreetDoor
from ingest.webhooks import Receiver
from models.agent import Role
from models.store.intake import Intake, IntakeRow, Stored
from models.whatsapp_config import WhatsAppConfig
from providers import registry
from providers.base import FormField
from services.connecting import described
from tests.fixtures.acme.conformance import KIT, STATION
from tests.fourth import acme
from tests.fourth.acme import PROVIDER
from tests.support.wired import Wired

ROOT = Path(__file__).parents[2]
ROOMS = ("runtime", "models", "providers", "services", "ingest", "workers", "api", "cli", "sandbox")
KEY, NEW_KEY = "acme-signing-key-71c0", "acme-signing-key-9d2f"
PATH = "/api/whatsapp/webhooks"
TEXT, BATCH = (KIT.body(KIT.folder / f"{name}.json") for name in ("inbound_text", "batch_mixed"))


@pytest.fixture(autouse=True)
def lent() -> Iterator[None]:
    registry.register(PROVIDER)
    yield
    registry.forget(PROVIDER)


@pytest.fixture
def account(lent: None, wired: Wired) -> WhatsAppConfig:
    return wired.connecting.add(PROVIDER, {"stationId": STATION, "signingKey": KEY})


class Vendor:
    """Acme: it signs and posts to the product's street door; what was stored is applied."""

    def __init__(self, wired: Wired) -> None:
        self._wired = wired
        self._rows: list[str] = []
        committer = Committer(Intake(wired.store.webhookevents), limit=100, patience=10.0, committed=self._committed)
        receiver = Receiver(
            providers=registry.by_slugs(), directory=wired.directory, committer=committer, now=wired.clock.now
        )
        door = StreetDoor(Response("not found", 404), receiver, max_body=4_000_000, public_url="https://inbox.example")
        self._client = Client(door)

    def post(self, body: bytes, *, path: str = f"{PATH}/acme", key: str = KEY) -> TestResponse:
        signature = KIT.sign(body, key).headers[KIT.signature_header]
        headers = {KIT.signature_header: signature}
        answer = self._client.post(path, data=body, headers=headers, content_type="application/json")
        self._wired.receiving.receive(self._rows)
        return answer

    def _committed(self, rows: Sequence[IntakeRow], results: Sequence[Stored]) -> None:
        self._rows += [row.id for row, stored in zip(rows, results, strict=True) if stored is Stored.NEW]


@pytest.fixture
def vendor(wired: Wired, account: WhatsAppConfig) -> Vendor:
    return Vendor(wired)


# --- the street door ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [f"{PATH}/acme", PATH, f"{PATH}/acme/{{id}}"])
def test_a_webhook_becomes_a_chat(wired: Wired, account: WhatsAppConfig, vendor: Vendor, path: str) -> None:
    answer = vendor.post(TEXT, path=path.format(id=account.id))

    assert (answer.status_code, answer.data) == (200, b"EVENT_RECEIVED")
    [event] = wired.store.webhookevents.find()
    assert (event["provider"], event["configId"], event["status"]) == ("acme", account.id, "processed")
    assert event["rawBody"] == TEXT
    assert set(event["headers"]) <= {"content-type", "user-agent"}
    [chat] = wired.store.chats.find()
    assert (chat["provider"], chat["configId"], chat["phoneNumber"]) == ("acme", account.id, "+447700900201")
    assert (chat["unreadCount"], (chat["windowExpiresAt"] - chat["lastInboundAt"]).total_seconds()) == (1, 48 * 3600)
    [message] = wired.store.messages.find()
    assert (message["providerMessageId"], message["text"]) == ("ac_7f01", "Hello, are you open today?")


def test_a_forged_or_strange_webhook_is_refused(wired: Wired, account: WhatsAppConfig, vendor: Vendor) -> None:
    assert vendor.post(TEXT, key="somebody-elses").status_code == 401
    assert vendor.post(TEXT, path=f"{PATH}/acme/{wired.account.id}").status_code == 401
    assert vendor.post(TEXT, path=f"{PATH}/acme/{account.id}/more").status_code == 404
    assert wired.store.webhookevents.count_documents({}) == 0


def test_its_parts_fare_each_for_itself(wired: Wired, vendor: Vendor) -> None:
    vendor.post(BATCH)
    [event] = wired.store.webhookevents.find()
    assert [(item["kind"], item["outcome"]) for item in event["items"]] == [
        ("status", "applied"),
        ("message", "applied"),
        ("ignored", "ignored"),
    ]
    assert wired.store.pendingupdates.count_documents({}) == 1, "the receipt waits for its message"
    assert wired.store.messages.count_documents({}) == 1


def test_it_is_counted_under_its_own_name(vendor: Vendor) -> None:
    def counted(outcome: str) -> float:
        labels = {"provider": "acme", "outcome": outcome}
        return REGISTRY.get_sample_value("hookline_webhooks_total", labels) or 0.0

    before = {outcome: counted(outcome) for outcome in ("stored", "duplicate", "signatureerror")}
    vendor.post(TEXT)
    vendor.post(TEXT)
    vendor.post(TEXT, key="somebody-elses")
    assert {outcome: counted(outcome) - count for outcome, count in before.items()} == dict.fromkeys(before, 1.0)


# --- the account -------------------------------------------------------------------------------------------------


def test_its_url_follows_from_its_slug(account: WhatsAppConfig) -> None:
    assert account.webhook_url == f"http://127.0.0.1:8000{PATH}/acme/{account.id}"


def test_its_secret_is_sealed_and_never_shown(wired: Wired, account: WhatsAppConfig) -> None:
    document = wired.store.whatsappconfigs.find_one({"id": account.id})
    assert document is not None
    assert KEY not in str(document)
    assert document["otherSecrets"]["signingKey"]
    shown = described(account, PROVIDER)
    assert (shown["stationId"], shown["hasSigningKey"]) == (STATION, True)
    assert KEY not in str(shown)


def test_its_secret_can_be_exchanged(wired: Wired, account: WhatsAppConfig, vendor: Vendor) -> None:
    wired.connecting.rotate(account.id, PROVIDER, {"signingKey": NEW_KEY})
    wired.directory.refresh(older_than=0)
    bodies = [TEXT.replace(b"ac_7f01", own_id) for own_id in (b"ac_1", b"ac_2", b"ac_3")]
    keys = (KEY, NEW_KEY, "a-third")
    assert [vendor.post(body, key=key).status_code for body, key in zip(bodies, keys, strict=True)] == [200, 200, 401]


def test_its_chats_are_on_the_desk(wired: Wired, vendor: Vendor) -> None:
    vendor.post(TEXT)
    token = wired.tokens.create(name="test", role=Role.ADMIN).clear.reveal()
    desk: FlaskClient = build(Desk(wired)).test_client()
    for asked, found in (("acme", 1), ("twilio", 0)):
        headers = {"Authorization": f"Bearer {token}"}
        answer = desk.get("/api/whatsapp/chats", query_string={"provider": asked}, headers=headers)
        assert answer.status_code == 200
        assert [row["provider"] for row in answer.json["data"]] == ["acme"] * found  # type: ignore[index]


# --- one file, nothing else --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product with one file more."""
    copy = tmp_path_factory.mktemp("product")
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(acme.__file__, copy / "providers" / "acme.py")
    return copy


def hookline(product: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {name: value for name, value in os.environ.items() if not name.endswith(("_URI", "_URL"))}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        cwd=product,
        env={**given, "PYTHONPATH": str(product), "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_its_flags_are_those_of_its_form(product: Path) -> None:
    said = hookline(product, "configs", "add", "--help").stdout
    assert "One of acme, chatapi, meta-whatsapp, twilio." in " ".join(said.split())
    assert all(word in said for word in ("--station-id", "--signing-key", "HOOKLINE_SIGNING_KEY"))
    rotating = hookline(product, "configs", "rotate", "--help").stdout
    assert "--signing-key" in rotating
    assert "--station-id" not in rotating


def test_an_account_is_added_and_listed_by_command(product: Path, wired: Wired, mongo_uri: str, redis_uri: str) -> None:
    environment = {
        "MONGODB_URI": mongo_uri,
        "MONGODB_DATABASE": wired.settings.mongodb_database,
        "REDIS_URL": redis_uri,
        "ENCRYPTION_KEYS": wired.settings.encryption_keys[0].reveal(),
        "PUBLIC_URL": "https://inbox.example",
    }
    words = ("configs", "add", "--provider", "acme", "--station-id", STATION, "--json")
    added = hookline(product, *words, HOOKLINE_SIGNING_KEY=KEY, **environment)
    assert added.returncode == 0, added.stderr
    made = json.loads(added.stdout)
    assert made["webhookUrl"] == f"https://inbox.example{PATH}/acme/{made['id']}"
    [row] = [one for one in json.loads(hookline(product, "configs", "list", "--json", **environment).stdout)
             if one["provider"] == "acme"]  # fmt: skip
    assert (row["id"], row["stationId"], row["hasSigningKey"]) == (made["id"], STATION, True)

    # What the command stored, the receiver takes.
    wired.directory.refresh(older_than=0)
    assert Vendor(wired).post(TEXT).status_code == 200

    missing = hookline(product, "configs", "add", "--provider", "acme", "--station-id", STATION, **environment)
    assert missing.returncode == 1
    assert "--signing-key is required" in missing.stderr


def test_no_dialect_imports_another() -> None:
    folder = Path(providers.__file__).parent
    slugs = {provider.slug for provider in registry.all_providers()}
    dialects = {path.stem: path for path in folder.iterdir() if path.stem in slugs}
    assert len(dialects) >= 3
    for slug, path in dialects.items():
        files = path.rglob("*.py") if path.is_dir() else [path]
        imported = {name for one in files for name in imports(one) if name.startswith("providers.")}
        assert not {name.split(".")[1] for name in imported} & (set(dialects) - {slug})


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_a_flag_that_vendors_share_means_the_same() -> None:
    flags: dict[str, set[bool]] = {}
    for one in (field for provider in registry.all_providers() for field in provider.form):
        assert isinstance(one, FormField)
        flags.setdefault(one.flag, set()).add(one.secret)
    assert {flag for flag, kinds in flags.items() if len(kinds) > 1} == set()
