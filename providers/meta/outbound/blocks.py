"""Meta's own list of blocked senders.

    POST or DELETE /{phone_number_id}/block_users
    {"messaging_product": "whatsapp", "block_users": [{"user": "+4477…"} or {"user_id": "GB.4821…"}]}
    ->  {"block_users": {"added_users" or "removed_users": […],
                         "failed_users"?: [{"input": "…", "errors": [{"code": 131047, …}]}]},
         "error"?: {"code": 139100, …}}

Vendor document: "Cloud API: Block users". A mixed result comes as 400 with both parts. Deliberately one sender a call.
"""

from typing import Any

from providers import wire
from providers.answers import json_object
from providers.base import Account
from providers.meta.outbound import graph, judging
from providers.outbound import BlockList, Destination, SendError
from runtime.calls import HttpAnswer, HttpRequest


class MetaBlockList(BlockList):
    """The block list of one phone number. Only who wrote within 24 hours can be blocked."""

    def change(self, account: Account, *, base_url: str, who: Destination, blocked: bool) -> HttpRequest:
        """Block or unblock one sender; either may be asked twice."""
        user = {"user": who.phone} if who.phone else {"user_id": who.user_id}
        body = {"messaging_product": "whatsapp", "block_users": [user]}
        number, method = graph.owned(account, "phoneNumberId"), "POST" if blocked else "DELETE"
        return graph.ask(account, method, base_url, number, "block_users", body=body)

    def changed(self, answer: HttpAnswer) -> SendError | None:
        """Read what became of the one sender: its own error says more than the call's."""
        data = json_object(answer)
        users = wire.mapping((data or {}).get("block_users"))
        failed = wire.first(users.get("failed_users"))
        if not failed and (wire.listed(users.get("added_users")) or wire.listed(users.get("removed_users"))):
            return None
        unclear = judging.repeatable(judging.unclear(answer))
        return _failed(answer, failed) or judging.refusal(answer, data=data) or unclear


def _failed(answer: HttpAnswer, failed: dict[str, Any]) -> SendError | None:
    """Read why one sender was left as it is."""
    error = wire.first(failed.get("errors"))
    code = judging.code_of(error)
    return judging.coded(answer, error, code) if code is not None else None
