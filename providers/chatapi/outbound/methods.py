"""Calling a method: of which variant, at which address, for whom.

    https://api.chat-api.com/instance318842/sendMessage?token=…        https://api.1msg.io/463107/sendMessage?token=…
    {"chatId": "447700900201@c.us", …}        or        {"phone": "447700900201", …}

The account says which variant it is; else the host of its own base URL tells. Deliberately knows no method.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

import orjson

from providers.base import JSON, Account
from providers.chatapi.addresses import phone_of
from providers.chatapi.source import instance_key
from providers.outbound import Destination
from runtime.calls import HttpRequest

#: The account's field that names the variant, and what it may say.
VARIANT: Final = "variant"
WEB: Final = "chat-api"
ONE_MSG: Final = "1msg"
#: What people write for these.
_SPELLINGS: Final = {"chat-api": WEB, "chatapi": WEB, "chat-api.com": WEB, "1msg": ONE_MSG, "1msg.io": ONE_MSG}

WEB_URL: Final = "https://api.chat-api.com"
ONE_MSG_URL: Final = "https://api.1msg.io"
_ONE_MSG_HOST: Final = "1msg.io"
#: The account's secret field, and the parameter of the query it goes into.
TOKEN_FIELD: Final = "apiKey"  # noqa: S105  the name of a field
TOKEN: Final = "token"  # noqa: S105  the name of a parameter


def spelled_variant(value: str) -> str | None:
    """Read the name of a variant; None for what is none."""
    return _SPELLINGS.get(value.strip().lower())


def variant_of(account: Account) -> str:
    """Say which variant an account is."""
    host = urlsplit(account.api_base_url or "").hostname or ""
    told = ONE_MSG if host == _ONE_MSG_HOST or host.endswith(f".{_ONE_MSG_HOST}") else WEB
    return account.field(VARIANT) or told


def call(account: Account, method: str, body: Mapping[str, Any], *, base_url: str) -> HttpRequest:
    """Post JSON to a method; the token stands in the query, and so apart from what may be shown."""
    return HttpRequest(
        method="POST",
        url=address(account, method, base_url=base_url),
        headers={"Content-Type": JSON, "Accept": JSON},
        body=orjson.dumps(dict(body)),
        secret_query=token_of(account),
    )


def address(account: Account, method: str, *, base_url: str) -> str:
    """Name a method of an instance; people also copy base URLs that name the instance already."""
    key = instance_key(account.field("instanceId"))
    number = quote(key.value if key else "", safe="")
    one_msg = variant_of(account) == ONE_MSG
    if one_msg and base_url == WEB_URL:
        base_url = ONE_MSG_URL
    part = f"/{number}" if one_msg else f"/instance{number}"
    return f"{base_url.removesuffix(part)}{part}/{method}"


def token_of(account: Account) -> dict[str, Any]:
    """Give the parameter that authenticates."""
    token = account.secret(TOKEN_FIELD)
    return {TOKEN: token} if token else {}


def target(to: Destination) -> dict[str, str]:
    """Name the recipient as the vendor did: exactly one of chat id and phone; empty where there is neither."""
    chat = to.group_id or to.chat_id
    if chat:
        return {"chatId": chat}
    return {"phone": to.phone.removeprefix("+")} if to.phone else {}


def target_by_phone(to: Destination) -> dict[str, str]:
    """Name the recipient to a method that documents numbers only; without one, as ever."""
    phone = None if to.group_id else to.phone or phone_of(to.chat_id)
    return {"phone": phone.removeprefix("+")} if phone else target(to)
