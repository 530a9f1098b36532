"""The receiver's app: health, readiness and metrics beside the door."""

from prometheus_client import REGISTRY

from tests.support import meta_webhooks as meta
from tests.support.failing import failing
from tests.support.street import PATH, Street


def test_alive_is_alive_whatever_the_database_says(receiver: Street) -> None:
    answer = receiver.client.get("/healthz")

    assert (answer.status_code, answer.text, answer.mimetype) == (200, "ok\n", "text/plain")


def test_ready_while_the_database_takes_writes(receiver: Street) -> None:
    assert receiver.client.get("/readyz").text == "ready\n"


def test_metrics_tell_every_webhook_by_its_answer(receiver: Street) -> None:
    def counted(provider: str, outcome: str) -> float:
        labels = {"provider": provider, "outcome": outcome}
        return REGISTRY.get_sample_value("hookline_webhooks_total", labels) or 0

    outcomes = [
        *(("meta-whatsapp", word) for word in ("stored", "duplicate", "signatureerror", "wrongtype", "unavailable")),
        ("meta-whatsapp", "handshake_403"),
        ("unread", "toolarge"),
    ]
    before = [counted(*one) for one in outcomes]
    body = meta.envelope(meta.text("counted"))
    receiver.post(body)
    receiver.post(body)
    receiver.post(body, secret="0" * 32)
    receiver.post(body, headers={"Content-Type": "text/plain"})
    with failing(receiver.services.store.webhookevents, "insert", errorCode=50):
        receiver.post(meta.envelope(meta.text("lost")))
    receiver.client.get(f"{PATH}?hub.mode=subscribe&hub.challenge=1&hub.verify_token=guess")
    receiver.post(b"x" * 5_000_000)

    after = [counted(*one) for one in outcomes]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1.0] * 7
    shown = receiver.client.get("/metrics")
    assert shown.status_code == 200
    assert shown.content_type.startswith("text/plain; version=")
    assert 'hookline_webhooks_total{outcome="stored",provider="meta-whatsapp"}' in shown.text
    assert meta.NUMBER_ID not in shown.text


def test_nothing_else_is_served(receiver: Street) -> None:
    for path in ("/static/app.py", "/", "/openapi.json", "/api/whatsapp/chats"):
        assert receiver.client.get(path).status_code == 404
    rules = {rule.rule for rule in receiver.client.application.url_map.iter_rules()}  # type: ignore[attr-defined]
    assert rules == {"/healthz", "/readyz", "/metrics"}
