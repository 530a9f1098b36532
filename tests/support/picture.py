"""What webhooks left in a database, with the vendors' names for our ids: two databases that say the same are equal.

A chat is named after the messages in it, a customer after the chats. Left out are our own ids, the moments of our own
doing, and what has ended. Deliberately knows no rules: it only spells.
"""

from typing import Any, Final

from models.store.collections import Store

#: Moments and ids of our own doing, which no vendor knows; and what only says where something came from.
OURS: Final = frozenset(
    {
        "_id",
        "claim",
        "createdAt",
        "eventId",
        "expiresAt",
        "fetch",
        "generation",
        "lastUsedAt",
        "leaseUntil",
        "mergedFrom",
    }
    | {"processedAt", "receivedAt", "reopenedAt", "replayedAt", "updatedAt", "nextAttemptAt", "attempts"}
)
_NOBODY: Final = "nobody yet"


def picture(store: Store) -> dict[str, list[Any]]:
    """Everything that webhooks changed."""
    names = _names(store)
    ended = {"isDeleted": {"$ne": True}}
    found = {
        "chats": store.chats.find(ended),
        "messages": store.messages.find(),
        "customers": store.customers.find(ended),
        "addresses": store.addresses.find(),
        "pendingupdates": store.pendingupdates.find(),
        "messagemoves": store.messagemoves.find(),
        "templates": store.templates.find(),
    }
    return {name: sorted((_plain(row, names) for row in rows), key=str) for name, rows in found.items()}


def differences(expected: dict[str, list[Any]], found: dict[str, list[Any]]) -> list[str]:
    """Name what differs, row by row and field by field."""
    lines = []
    for name, rows in expected.items():
        missing = [row for row in rows if row not in found[name]]
        added = [row for row in found[name] if row not in rows]
        for number in range(max(len(missing), len(added))):
            one, other = (some[number] if number < len(some) else {} for some in (missing, added))
            lines += [
                f"{name}.{key}: {other.get(key)!r}, not {one.get(key)!r}"
                for key in sorted({*one, *other})
                if one.get(key) != other.get(key)
            ]
    return lines


def _names(store: Store) -> dict[str, str]:
    """Our ids -> what the vendors call the same thing."""
    names = {row["id"]: f"message {row['providerMessageId']}" for row in store.messages.find()}
    names |= {
        row["id"]: f"account {row['provider']} {row.get('phoneNumberId')}" for row in store.whatsappconfigs.find()
    }
    names |= {row["id"]: f"address {names[row['configId']]} {row['canonical']}" for row in store.addresses.find()}
    chats: dict[str, list[str]] = {}
    for row in store.messages.find():
        chats.setdefault(row["chatId"], []).append(row["providerMessageId"])
    names |= {chat_id: f"chat of {', '.join(sorted(messages))}" for chat_id, messages in chats.items()}
    customers: dict[str, list[str]] = {}
    for row in store.chats.find({"isDeleted": False}):
        customers.setdefault(row["customerId"], []).append(names.get(row["id"], ""))
    names |= {customer_id: f"customer with {sorted(theirs)}" for customer_id, theirs in customers.items()}
    for collection in (store.chats, store.customers):
        for row in collection.find({"mergedInto": {"$exists": True}}):
            names[row["id"]] = _successor(collection, row, names)
    return names


def _successor(collection: Any, row: dict[str, Any], names: dict[str, str]) -> str:
    while row.get("mergedInto"):
        row = collection.find_one({"id": row["mergedInto"]}) or {}
    return names.get(row.get("id", ""), _NOBODY)


def _plain(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one, names) for key, one in sorted(value.items()) if key not in OURS}
    if isinstance(value, list):
        return [_plain(one, names) for one in value]
    if isinstance(value, str):
        is_ours = value.startswith(("chat_", "cus_", "tpl_", "pnd_", "mov_", "msg_"))
        return names.get(value, _NOBODY if is_ours else value)
    return value
