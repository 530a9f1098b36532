"""Meta webhooks as Meta would send them: bodies by hand, signatures by a second implementation.

Deliberately imports nothing of ours, so that a mistake of the product is not repeated here.
"""

import hashlib
import hmac
import itertools
import json
from typing import Any

NUMBER_ID = "331702589914420"
BUSINESS_ID = "209145368820417"
SECRET = "0f3c1e8a9b7d4c62a5e1d0937b8f4a26"
VERIFY_TOKEN = "s3ab1rd-verify"
PHONE = "447700900381"
#: A moment in the past of every test, in Unix seconds.
NOON = 1_793_100_000

_serial = itertools.count(1)


def wamid() -> str:
    """A message id nobody has used."""
    return f"wamid.TEST{next(_serial):08d}"


def envelope(*values: dict[str, Any], field: str = "messages", number_id: str = NUMBER_ID) -> bytes:
    """Wrap values of one business account into a delivery."""
    metadata = {"display_phone_number": "15550192744", "phone_number_id": number_id}
    changes = [
        {"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}} for value in values
    ]
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": BUSINESS_ID, "changes": changes}]}
    ).encode()


def management(field: str, value: dict[str, Any], *, at: int = NOON) -> bytes:
    """A delivery of a management field: about the business account, with a time of its own."""
    entry = {"id": BUSINESS_ID, "time": at, "changes": [{"field": field, "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def text(
    body: str = "hello",
    *,
    message_id: str | None = None,
    sender: str = PHONE,
    at: int = NOON,
    name: str = "Priya Raman",
) -> dict[str, Any]:
    """A value with one text message."""
    return message({"type": "text", "text": {"body": body}}, message_id=message_id, sender=sender, at=at, name=name)


def message(
    content: dict[str, Any],
    *,
    message_id: str | None = None,
    sender: str = PHONE,
    at: int = NOON,
    name: str = "Priya Raman",
) -> dict[str, Any]:
    """A value with one message of any type."""
    return {
        "contacts": [{"profile": {"name": name}, "wa_id": sender}],
        "messages": [{"from": sender, "id": message_id or wamid(), "timestamp": str(at), **content}],
    }


def image(*, message_id: str | None = None, sender: str = PHONE, at: int = NOON) -> dict[str, Any]:
    """A value with one photo."""
    photo = {"id": "1003383421387256", "mime_type": "image/jpeg", "sha256": "a" * 43 + "="}
    return message({"type": "image", "image": photo}, message_id=message_id, sender=sender, at=at)


def echo(
    body: str = "from the phone", *, message_id: str | None = None, to: str = PHONE, at: int = NOON
) -> dict[str, Any]:
    """A value of field smb_message_echoes: the business wrote from its phone."""
    written = {"from": "15550192744", "to": to, "id": message_id or wamid(), "timestamp": str(at)}
    return {"message_echoes": [{**written, "type": "text", "text": {"body": body}}]}


def status(message_id: str, word: str, *, at: int = NOON, recipient: str = PHONE, **extra: Any) -> dict[str, Any]:
    """A value with one status."""
    return {"statuses": [{"id": message_id, "status": word, "timestamp": str(at), "recipient_id": recipient, **extra}]}


def reaction(target: str, emoji: str | None, *, sender: str = PHONE, at: int = NOON) -> dict[str, Any]:
    """A value with one reaction, or its removal."""
    mark = {"message_id": target, **({"emoji": emoji} if emoji else {})}
    return message({"type": "reaction", "reaction": mark}, sender=sender, at=at)


def signature(body: bytes, secret: str = SECRET) -> str:
    """The X-Hub-Signature-256 of a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def headers(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """The headers of a delivery."""
    return {"Content-Type": "application/json", "X-Hub-Signature-256": signature(body, secret)}
