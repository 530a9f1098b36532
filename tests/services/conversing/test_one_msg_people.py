"""Customers of 1msg, whose webhooks tell a user id and a user name beside the number, or in its place."""

import pytest

from tests.providers.chatapi_bodies import item
from tests.services.conversing.test_own_sends import Desk, desk

__all__ = ["desk"]

WHO = {"authorBsuid": "GB.48213907715562204913", "authorUserName": "jana.w"}
HIDING = {"chatId": "GB.48213907715562204913@lid", "author": "GB.48213907715562204913@lid", "senderName": "Jana"}
SHOWING = {"chatId": "447700900777@c.us", "author": "447700900777@c.us", "senderName": "Jana"}


@pytest.mark.parametrize("order", [(HIDING, SHOWING), (SHOWING, HIDING)])
def test_who_hides_and_shows_the_number_is_one_person_with_one_chat(
    desk: Desk, order: tuple[dict[str, str], ...]
) -> None:
    for index, shape in enumerate(order):
        desk.hear(messages=[item(id=f"wamid.{index}", **WHO, **shape)])

    (chat,) = desk.wired.store.chats.find({"userId": WHO["authorBsuid"], "isDeleted": False})
    assert (chat["totalMessages"], chat["phoneNumber"], chat["username"]) == (2, "+447700900777", "jana.w")
    (customer,) = desk.wired.store.customers.find({"userId": WHO["authorBsuid"], "isDeleted": False})
    assert customer["id"] == chat["customerId"]
