"""Follow-ups, for those whose they are; overseers look after everybody's."""

from typing import Any, Final

from api.access import ANY_TOKEN, caller
from api.desk import desk
from api.schemas.followups import FollowUpChange, FollowUpPage, FollowUpPlan, FollowUpSchema, FollowUpsQuery
from api.schemas.templates import RemovedSchema
from api.section import Section
from models.store.paging import Page
from models.store.views import Listing, chats_seen_by, follow_ups_changed_by, follow_ups_seen_by
from runtime.errors import Forbidden

section: Final = Section("followups", about="Reminders to come back to a chat.")


@section.endpoint("GET", "/followups", needs=ANY_TOKEN, query=FollowUpsQuery, answers=FollowUpPage)
def list_follow_ups(listing: Listing) -> Page:
    """List follow-ups, by default the one due first.

    Agents see their own, unless they may view all chats.
    """
    return desk().follow_ups.page(listing, scope=follow_ups_seen_by(caller()))


@section.endpoint("GET", "/chats/<chat_id>/followups", needs=ANY_TOKEN, query=FollowUpsQuery, answers=FollowUpPage)
def list_follow_ups_of_chat(listing: Listing, chat_id: str) -> Page:
    """List the follow-ups of a chat, whoever's they are, by default the one due first."""
    desk().chats.check(chat_id, scope=chats_seen_by(caller()))
    return desk().follow_ups.page(listing, scope={"chatId": chat_id})


@section.endpoint("GET", "/followups/<follow_up_id>", needs=ANY_TOKEN, answers=FollowUpSchema)
def get_follow_up(follow_up_id: str) -> dict[str, Any]:
    """Get a follow-up."""
    return desk().follow_ups.one(follow_up_id, scope=follow_ups_seen_by(caller()))


@section.endpoint(
    "POST",
    "/followups",
    needs=ANY_TOKEN,
    body=FollowUpPlan,
    answers=FollowUpSchema,
    status=201,
    problems=(403, 404, 422),
)
def create_follow_up(plan: dict[str, Any]) -> dict[str, Any]:
    """Plan a follow-up in a chat; its time needs a zone, and is kept in UTC.

    When it is due its reminder fires once, and with a `template` the customer is sent that message. After a grace in
    which nobody completed it, it is `overdue`.
    """
    chat = desk().chats.one(plan["chat_id"], scope=chats_seen_by(caller()))
    agent_id = _agent_named(plan) or caller().agent_id or chat.get("assignedTo")
    planned = desk().planning.plan({**plan, "agent_id": agent_id}, by=caller())
    return desk().follow_ups.one(planned.id)


@section.endpoint(
    "PUT",
    "/followups/<follow_up_id>",
    needs=ANY_TOKEN,
    body=FollowUpChange,
    answers=FollowUpSchema,
    problems=(403, 409, 422),
)
def update_follow_up(change: dict[str, Any], follow_up_id: str) -> dict[str, Any]:
    """Change, put off, complete or cancel a follow-up. Completing and cancelling are final."""
    desk().follow_ups.check(follow_up_id, scope=follow_ups_changed_by(caller()))
    _agent_named(change)
    desk().planning.change(follow_up_id, change, by=caller())
    return desk().follow_ups.one(follow_up_id)


@section.endpoint("DELETE", "/followups/<follow_up_id>", needs=ANY_TOKEN, answers=RemovedSchema)
def delete_follow_up(follow_up_id: str) -> dict[str, Any]:
    """Delete a follow-up; it will not fire any more."""
    desk().follow_ups.check(follow_up_id, scope=follow_ups_changed_by(caller()))
    desk().planning.remove(follow_up_id, by=caller())
    return {"id": follow_up_id}


def _agent_named(values: dict[str, Any]) -> str | None:
    """Return whom a body names as the one to follow up.

    Raises:
        Forbidden: it is somebody else, and that is not the caller's to say.
    """
    agent_id: str | None = values.get("agent_id")
    if agent_id is not None and agent_id != caller().agent_id and not caller().is_overseer:
        raise Forbidden("Naming somebody else needs the role supervisor or admin.")
    return agent_id
