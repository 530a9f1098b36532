"""Rate limits: per token, shared by all processes, and never a reason to fail."""

from dataclasses import replace

from flask import Flask
from redis import Redis

from api.app import build
from api.desk import Desk
from runtime.crypto import Secret
from tests.api.conftest import BASE, Api
from tests.api.test_errors import refusal
from tests.support.wired import Wired

CHATS = f"{BASE}/chats"
#: A port on which nothing listens.
NOBODY = Secret("redis://127.0.0.1:1/0")


def test_the_fourth_request_of_three_is_429_with_the_time_to_wait(limited: Api) -> None:
    admin = limited.admin
    assert [admin.get(CHATS).status_code for _ in range(3)] == [200] * 3
    response = admin.get(CHATS)
    refusal(response, 429, "rate_limited")
    assert 1 <= int(response.headers["Retry-After"]) <= 60


def test_tokens_do_not_wait_for_one_another(limited: Api) -> None:
    admin = limited.admin
    assert [admin.get(CHATS).status_code for _ in range(4)][-1] == 429
    assert limited.admin.get(CHATS).status_code == 200


def test_all_routes_count_together(limited: Api) -> None:
    admin = limited.admin
    answers = [admin.get(path).status_code for path in (CHATS, f"{CHATS}/x", f"{BASE}/messages/x", CHATS)]
    assert answers == [200, 404, 404, 429]


def test_two_processes_count_together(limited: Api) -> None:
    admin = limited.admin
    other = Api(build(Desk(limited.wired)), limited.wired).stranger(admin.token)
    assert [who.get(CHATS).status_code for who in (admin, other, admin, other)] == [200, 200, 200, 429]


def test_health_metrics_and_docs_are_not_counted(limited: Api) -> None:
    stranger = limited.stranger()
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert [stranger.get(path).status_code for _ in range(5)] == [200] * 5


def test_guessing_tokens_is_slowed_down_and_harms_nobody_who_has_one(limited: Api) -> None:
    guesser = limited.stranger("hk_" + "x" * 43)
    assert [guesser.get(CHATS).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert limited.admin.get(CHATS).status_code == 200


def without_redis(wired: Wired, rate_limit: str) -> Flask:
    wired.settings = replace(wired.settings, redis_url=NOBODY, rate_limit=rate_limit)
    return build(Desk(wired))


def test_without_redis_each_process_counts_for_itself(wired: Wired) -> None:
    admin = Api(without_redis(wired, "3/minute"), wired).admin
    assert [admin.get(CHATS).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_redis_going_away_is_no_error(wired: Wired, redis_client: Redis) -> None:
    api = Api(without_redis(wired, "100/minute"), wired)
    admin = api.admin
    assert {admin.get(CHATS).status_code for _ in range(20)} == {200}
    ready = api.stranger().get("/readyz")
    assert ready.status_code == 503
    assert ready.text.startswith("Redis does not answer")
