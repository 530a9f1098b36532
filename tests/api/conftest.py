"""The API over real engines, callers of every role, and rows to ask for."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from werkzeug.test import TestResponse

from api.app import build
from api.desk import Desk
from models.agent import Permissions, Role
from tests.support.wired import Wired

#: The agent whose own chats the agents' token sees.
AGENT_ID = "agt_amara"
BASE = "/api/whatsapp"


@dataclass(frozen=True)
class Caller:
    """Somebody who asks, with a token or without."""

    client: FlaskClient
    token: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.client.get(path, query_string=query, headers=self.headers)

    def post(self, path: str, **kwargs: Any) -> TestResponse:
        return self.client.post(path, headers=self.headers, **kwargs)

    def put(self, path: str, **kwargs: Any) -> TestResponse:
        return self.client.put(path, headers=self.headers, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> TestResponse:
        return self.client.delete(path, headers=self.headers, **kwargs)

    def ids(self, path: str, **query: Any) -> list[str]:
        """The ids of a list's first page."""
        response = self.get(path, **query)
        assert response.status_code == 200, response.text
        return [row["id"] for row in response.json["data"]]  # type: ignore[index]


@dataclass(frozen=True)
class Api:
    """An app, and callers to ask it."""

    app: Flask
    wired: Wired

    def stranger(self, token: str | None = None) -> Caller:
        return Caller(self.app.test_client(), token)

    def caller(self, role: Role, *, agent_id: str | None = None, permissions: Permissions | None = None) -> Caller:
        new = self.wired.tokens.create(name=f"a {role}", role=role, agent_id=agent_id, permissions=permissions)
        return self.stranger(new.clear.reveal())

    @property
    def admin(self) -> Caller:
        return self.caller(Role.ADMIN)

    @property
    def supervisor(self) -> Caller:
        return self.caller(Role.SUPERVISOR)

    @property
    def agent(self) -> Caller:
        return self.caller(Role.AGENT, agent_id=AGENT_ID)


@pytest.fixture
def api(wired: Wired, redis_client: Redis) -> Iterator[Api]:
    """Build the API on an empty database, an empty Redis, and a clock that tests move."""
    yield Api(build(Desk(wired)), wired)
    wired.broker.close()


@pytest.fixture
def limited(api: Api) -> Api:
    """Build the API anew with room for three requests a minute."""
    api.wired.settings = replace(api.wired.settings, rate_limit="3/minute")
    return Api(build(Desk(api.wired)), api.wired)
