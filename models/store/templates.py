"""The verbs on templates: find, add, change, remove, and count their use.

A name means another template in each language and account, which a unique index on live rows sees to. Deliberately no
rules on what vendors say of them: `services.curating.telling` has those.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pymongo
from pymongo.errors import DuplicateKeyError

from models.store.audit import Session
from models.store.batch import TemplateKey
from models.store.codec import from_document, to_changes, to_document
from models.store.collections import Store
from models.store.transactions import transact
from models.template import Template, TemplateStatus
from models.template_usage import TemplateUsage
from runtime.errors import Conflict, NotFound

#: How long (s) one look-up may take, finding a server included.
READ_LIMIT_S: Final = 5.0
#: Uses that one transaction counts, at most.
COUNTED_AT_ONCE: Final = 1_000
#: Templates that are named as usable, at most.
NAMED_AT_MOST: Final = 100


class Templates:
    """The templates, our own and the vendors'."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._templates = store.templates

    def get(self, template_id: str) -> Template:
        """Find a template.

        Raises:
            NotFound: there is none.
        """
        with pymongo.timeout(READ_LIMIT_S):
            row = self._templates.find_one({"id": template_id, "isDeleted": False})
        if row is None:
            raise NotFound(f"There is no template {template_id}.")
        return from_document(Template, row)

    def named(self, config_id: str, name: str) -> list[Template]:
        """Find an account's templates of a name, one for each language."""
        with pymongo.timeout(READ_LIMIT_S):
            rows = list(self._templates.find({"configId": config_id, "name": name, "isDeleted": False}))
        return [from_document(Template, row) for row in rows]

    def all(self, *, config_id: str | None = None, status: str | None = None) -> list[Template]:
        """All templates, or those of an account or a status, by name."""
        wanted = {"configId": config_id, "status": status}
        query = {"isDeleted": False, **{name: value for name, value in wanted.items() if value is not None}}
        rows = self._templates.find(query).sort([("name", 1), ("id", 1)])
        return [from_document(Template, row) for row in rows]

    def usable(self, config_id: str) -> list[tuple[str, str]]:
        """Name the templates that an account may send now, with their languages, in order."""
        query = {"configId": config_id, "isDeleted": False, "isActive": True, "status": TemplateStatus.APPROVED.value}
        with pymongo.timeout(READ_LIMIT_S):
            rows = self._templates.find(query, {"_id": 0, "name": 1, "language": 1})
            found = rows.sort([("name", 1), ("language", 1)]).limit(NAMED_AT_MOST)
            return [(row["name"], row.get("language", "")) for row in found]

    def unseen(self, config_id: str, *, made_before: datetime, met_before: datetime) -> list[TemplateKey]:
        """Name the vendor's templates of an account that were made before a moment, and not met since another."""
        query = {
            "configId": config_id,
            "isDeleted": False,
            "status": {"$ne": TemplateStatus.LOCAL.value},
            "createdAt": {"$lt": made_before},
            "lastSyncAt": {"$not": {"$gte": met_before}},
        }
        rows = self._templates.find(query, {"_id": 0, "name": 1, "language": 1})
        return [(config_id, row["name"], row.get("language", "")) for row in rows]

    def removed(self, config_id: str, names: Sequence[str]) -> set[TemplateKey]:
        """Say which templates of an account and of these names were removed here."""
        query = {"configId": config_id, "name": {"$in": list(names)}, "isDeleted": True}
        rows = self._templates.find(query, {"_id": 0, "name": 1, "language": 1}) if names else ()
        return {(config_id, row["name"], row.get("language", "")) for row in rows}

    def add(self, template: Template, *, now: datetime, session: Session | None = None) -> None:
        """Store a new template.

        Raises:
            Conflict: the account has one of this name and language.
        """
        document = to_document(template) | {"createdAt": now, "updatedAt": now}
        try:
            self._templates.insert_one(document, session=session)
        except DuplicateKeyError:
            raise _taken(template.name, template.language) from None

    def change(
        self, template_id: str, values: Mapping[str, Any], *, now: datetime, session: Session | None = None
    ) -> Template:
        """Set fields by their Python names (None removes); return the template as it was before.

        Raises:
            NotFound: there is none.
            Conflict: the account has one of this name and language.
        """
        changes, removals = to_changes({**values, "updated_at": now})
        update = {"$set": changes, **({"$unset": removals} if removals else {})}
        wanted = {"id": template_id, "isDeleted": False}
        try:
            before = self._templates.find_one_and_update(wanted, update, session=session)
        except DuplicateKeyError:
            raise _taken(values.get("name"), values.get("language")) from None
        if before is None:
            raise NotFound(f"There is no template {template_id}.")
        return from_document(Template, before)

    def remove(self, template_id: str, *, now: datetime, by: str | None = None, session: Session | None = None) -> None:
        """Delete a template softly; its name may be used again.

        Raises:
            NotFound: there is none.
        """
        gone = {"isDeleted": True, "deletedAt": now, "updatedAt": now, **({"deletedBy": by} if by else {})}
        wanted = {"id": template_id, "isDeleted": False}
        if not self._templates.update_one(wanted, {"$set": gone}, session=session).matched_count:
            raise NotFound(f"There is no template {template_id}.")

    def count_uses(self, *, now: datetime) -> int:
        """Add to the counts what was noted since, and return how much that was.

        A note is gone in the transaction that counts it, so two processes that count at once count nothing twice.
        """
        counted = 0
        while some := transact(self._store.client, lambda session: self._count_some(session, now)):
            counted += some
        return counted

    def _count_some(self, session: Session, now: datetime) -> int:
        rows = list(self._store.templateusages.find({"id": {"$gt": ""}}, session=session).limit(COUNTED_AT_ONCE))
        self._store.templateusages.delete_many({"id": {"$in": [row["id"] for row in rows]}}, session=session)
        for template_id, uses in _by_template(rows).items():
            change = {"$inc": {"usageCount": len(uses)}, "$max": {"lastUsedAt": max(uses)}, "$set": {"updatedAt": now}}
            self._templates.update_one({"id": template_id}, change, session=session)
        return len(rows)


def note_use(store: Store, uses: Sequence[TemplateUsage], *, session: Session) -> None:
    """Note uses to be counted, in the transaction that makes their messages accepted: hence each exactly once."""
    rows = [to_document(use) | {"createdAt": use.at, "updatedAt": use.at} for use in uses]
    store.templateusages.insert_many(rows, session=session)


def _by_template(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = {}
    for row in rows:
        found.setdefault(row["templateId"], []).append(row["at"])
    return found


def saying(text: str) -> Mapping[str, Any]:
    """Narrow templates to those with a text in their name or content, in any case of letters."""
    # A pattern must not hold the character itself.
    pattern = {"$regex": re.escape(text).replace("\0", r"\x00"), "$options": "i"}
    return {"$or": [{"name": pattern}, {"content": pattern}]}


def _taken(name: object, language: object) -> Conflict:
    which = f"{name} ({language})" if language else str(name)
    return Conflict(f"There is a template {which} already.", code="template_exists")
