"""Blocking with canned vendors: who blocks, and a second process on the same rows."""

from typing import Any

from models.agent import Role, permissions_of
from models.blocked_number import BlockedNumber
from models.caller import Caller
from models.store.blocks import Blocks
from providers import registry
from runtime.calls import HttpAnswer
from services.blocking import Blocking
from tests.support import meta_webhooks as meta
from tests.support.canned import CannedCalls
from tests.support.wired import Wired

RUTH = Caller(
    token_id="tok_1",
    name="Ruth",
    agent_id="agt_ruth",
    role=Role.SUPERVISOR,
    permissions=permissions_of(Role.SUPERVISOR),
)
PHONE = f"+{meta.PHONE}"
DONE = HttpAnswer(status=200, body=b'{"block_users": {"added_users": [{"input": "+447700900381"}]}}')


def another_process(wired: Wired, calls: CannedCalls, *, blocks: Blocks | None = None) -> Blocking:
    return Blocking(
        blocks or Blocks(wired.store),
        wired.auditing,
        wired.clock,
        account=wired.directory.by_id,
        providers=registry.by_names(),
        calls=calls,
        base_url=lambda _: "https://graph.example",
    )


def chat(wired: Wired, **query: Any) -> dict[str, Any]:
    found = wired.store.chats.find_one({"isDeleted": False, **query})
    assert found is not None
    return found


def row(wired: Wired, block: BlockedNumber) -> BlockedNumber:
    return Blocks(wired.store).get(block.id)
