"""A caller's Idempotency-Key: what two requests must have in common to be one.

Deliberately only hashes: neither key nor body is kept.
"""

import hashlib
import json
from datetime import datetime

from models.caller import Caller
from models.idempotency_key import LIFETIME, IdempotencyKey
from models.ids import new_id
from services.sending.orders import Order


def key_of(chat_id: str, order: Order, by: Caller | None, key: str, now: datetime) -> IdempotencyKey:
    """Describe an order under its key; the same key of another caller is another one.

    Hookline's own keys say all of what they are for: a reminder's message is the same one even where its chat was
    united with another, or its wording changed, between two tries.
    """
    whose, body = (by.token_id, [chat_id, order.spelled]) if by is not None else ("hookline", [])
    return IdempotencyKey(
        id=new_id("idem", now),
        key=_hashed([whose, key]),
        body_hash=_hashed(body),
        expires_at=now + LIFETIME,
    )


def _hashed(value: object) -> str:
    # Total: any key and any values, whatever can be stored of them.
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
