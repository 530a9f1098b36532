"""Keeping templates: quick replies of our own, and asking vendors for new templates or for their end.

A vendor's template stands here before the vendor is asked, so that two requests ask but once; what becomes of a call
without an answer is learnt by the next synchronisation. Every change is audited. Deliberately no editing of what is the
vendor's: that would be a new review, and is done there.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from models.caller import Caller
from models.ids import new_id
from models.store.batch import Batch, TemplateKey, Tracked, Wanted
from models.store.codec import camel, encode
from models.store.conversations import Conversations
from models.store.templates import Templates
from models.template import Template, TemplateStatus
from providers.base import Account
from providers.outbound import ErrorKind, SendError, TemplateBook
from runtime.calls import HttpAnswer, HttpRequest, NotSent, Unanswered
from runtime.clock import Clock
from runtime.errors import Conflict, Invalid, Unavailable
from runtime.logs import logger
from services.auditing import Auditing
from services.curating import drafts
from services.curating.schema import placeholders
from services.curating.telling import LAG, is_vanished, tell
from services.curating.vendor import Vendors

#: Codes of the conflicts: the vendor said no; this can only be done where the vendor's people do it.
REFUSED: Final = "vendor_refused"
ELSEWHERE: Final = "vendor_only"
#: Characters of a quick reply and of its name, at most.
MAX_CONTENT: Final = 4096
MAX_NAME: Final = 512
#: What may be changed of a vendor's template: our own fields.
OURS: Final = frozenset({"is_active"})
_THEIRS: Final = ("components", "parameter_format")
_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ENTITY: Final = "template"

_log = logger(__name__)


class Keeping:
    """Makes, changes and removes templates."""

    def __init__(
        self,
        *,
        templates: Templates,
        conversations: Conversations,
        auditing: Auditing,
        vendors: Vendors,
        account: Callable[[str], Account | None],
        clock: Clock,
    ) -> None:
        self._templates = templates
        self._conversations = conversations
        self._auditing = auditing
        self._vendors = vendors
        self._account = account
        self._clock = clock

    def add_local(self, values: Mapping[str, Any], *, by: Caller) -> Template:
        """Store a quick reply of our own; `values` by our field names.

        Raises:
            Invalid: a value is wrong.
            Conflict: the account, or the team, has one of this name and language (template_exists).
        """
        _check(values)
        if values.get("config_id") and self._account(values["config_id"]) is None:
            raise _invalid("configId", "There is no such account.")
        found = {**values, "variables": placeholders(values.get("content"))}
        template = Template(id=new_id("tpl"), **found, created_by=_author(by))
        self._store(template, by=by)
        return template

    def ask_vendor(self, values: Mapping[str, Any], *, by: Caller) -> Template:
        """Store a template as pending and ask the vendor for it.

        Raises:
            Invalid: a value is one that vendors refuse.
            Conflict: there is one already, or the vendor refuses it, or takes none from us.
            Unavailable: the vendor cannot be reached; nothing was stored.
        """
        account, book = self._booked(values.get("config_id"))
        values = {**values, "category": str(values.get("category") or "").upper()}
        named = {name: values.get(name) for name in ("language", "category", "components")}
        if wrong := drafts.problems(name=values["name"], **named):
            raise Invalid("the template is not one that vendors take", fields=wrong)
        template = Template(
            id=new_id("tpl"),
            **values,
            whatsapp_template_name=values["name"],
            status=TemplateStatus.PENDING,
            created_by=_author(by),
        )
        request = book.create(account, base_url=self._vendors.base_url(account), template=template)
        if request is None:
            raise _elsewhere("make")
        tell(
            Tracked(template, is_new=True),
            {name: getattr(template, name) for name in ("components", "category")},
            at=self._clock.now() - LAG,
        )
        self._store(template, by=by)
        self._request(template, request, book, by=by)
        return self._templates.get(template.id)

    def change(self, template_id: str, values: Mapping[str, Any], *, by: Caller) -> None:
        """Change fields of a quick reply, or our own fields of a vendor's template; None removes.

        Raises:
            NotFound: there is no such template.
            Invalid: a value is wrong, or the vendor's.
            Conflict: there is one of this name and language already (template_exists).
        """
        template = self._templates.get(template_id)
        theirs = {} if template.status == TemplateStatus.LOCAL else {name for name in values if name not in OURS}
        if theirs:
            why = "Is the vendor's: make another template, or change it there."
            raise Invalid("the vendor's", fields={camel(name): [why] for name in sorted(theirs)})
        if template.status == TemplateStatus.LOCAL:
            _check({"name": template.name, "content": template.content, **values})
        given = {name: value for name, value in values.items() if name != "variables"}
        if values.get("content"):
            given["variables"] = placeholders(values["content"])
        now = self._clock.now()
        self._auditing.recorded(
            lambda session: self._templates.change(template_id, given, now=now, session=session),
            lambda before: [
                self._auditing.entry(
                    by=by,
                    verb="update",
                    entity=_ENTITY,
                    entity_id=template_id,
                    before={camel(name): encode(getattr(before, name)) for name in values},
                    after={camel(name): encode(value) for name, value in values.items()},
                )
            ],
        )

    def remove(self, template_id: str, *, by: Caller) -> None:
        """Remove a template, at the vendor too where it is there.

        Raises:
            NotFound: there is no such template.
            Conflict: the vendor refuses, or takes no such wish from us.
            Unavailable: the vendor cannot be reached, or did not answer; the template stays.
        """
        template = self._templates.get(template_id)
        account = self._account(template.config_id or "")
        is_there = template.status != TemplateStatus.LOCAL and not is_vanished(template)
        if is_there and account is not None:
            self._remove_there(template, account)
        self._remove(template, by=by)

    def _booked(self, config_id: str | None) -> tuple[Account, TemplateBook]:
        account = self._account(config_id or "")
        if account is None:
            raise _invalid("configId", "Must be an account of ours that is in use.")
        book = self._vendors.book(account)
        if book is None:
            raise _elsewhere("make")
        return account, book

    def _store(self, template: Template, *, by: Caller) -> None:
        now = self._clock.now()
        shown = ("name", "language", "category", "config_id", "status")
        self._auditing.audited(
            lambda session: self._templates.add(template, now=now, session=session),
            by=by,
            verb="create",
            entity=_ENTITY,
            entity_id=template.id,
            after={camel(name): encode(value) for name in shown if (value := getattr(template, name)) is not None},
        )

    def _request(self, template: Template, request: HttpRequest, book: TemplateBook, *, by: Caller) -> None:
        """Ask the vendor; without an answer the template stays, and the next synchronisation tells its fate."""
        try:
            created = book.created(self._vendors.ask(request))
        except NotSent as error:
            self._remove(template, by=by)
            raise Unavailable(f"The vendor cannot be reached ({error.reason}); nothing was made.") from None
        except Unanswered as error:
            _log.warning("template_fate_unknown", template_id=template.id, reason=error.reason)
            return
        if not isinstance(created, SendError):
            self._tell(template, {name: value for name, value in created.items() if name in _ANSWERED})
        elif created.kind is not ErrorKind.UNKNOWN:
            self._remove(template, by=by)
            raise _refused(created)

    def _tell(self, template: Template, told: Mapping[str, Any]) -> None:
        """Take the vendor's answer, unless a webhook has said something later already."""
        key: TemplateKey = (template.config_id or "", template.name, template.language or "")
        now = self._clock.now()

        def fold(batch: Batch, _: object) -> None:
            if key in batch.templates:
                tell(batch.templates[key], told, at=now - LAG)

        self._conversations.change(Wanted(templates={key}), fold, now=now)

    def _remove_there(self, template: Template, account: Account) -> None:
        book = self._vendors.book(account)
        base_url = self._vendors.base_url(account)
        request = book.delete(account, base_url=base_url, template=template) if book else None
        if book is None or request is None:
            raise _elsewhere("remove")
        error = book.deleted(self._answer(request))
        if error is not None:
            raise _refused(error)

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        try:
            return self._vendors.ask(request)
        except NotSent as error:
            raise Unavailable(f"The vendor cannot be reached ({error.reason}); nothing was removed.") from None
        except Unanswered as error:
            why = f"The vendor did not answer ({error.reason}); ask again to be sure that it is removed."
            raise Unavailable(why) from None

    def _remove(self, template: Template, *, by: Caller) -> None:
        now = self._clock.now()
        self._auditing.audited(
            lambda session: self._templates.remove(template.id, now=now, by=_author(by), session=session),
            by=by,
            verb="delete",
            entity=_ENTITY,
            entity_id=template.id,
            before={"name": template.name, "language": template.language, "configId": template.config_id},
        )


#: What the answer to a wish for a template may say.
_ANSWERED: Final = frozenset({"whatsapp_template_id", "status", "category"})


def _check(values: Mapping[str, Any]) -> None:
    """Make sure that a quick reply is whole; the placeholders are those of its text, whatever was said of them."""
    name, content = values.get("name") or "", values.get("content") or ""
    problems = {camel(field): ["Only templates of a vendor have this."] for field in _THEIRS if values.get(field)}
    if not name.strip() or len(name) > MAX_NAME or _BREAKS.search(name):
        problems["name"] = [f"Must be one line of 1 to {MAX_NAME} characters."]
    if not content.strip() or len(content) > MAX_CONTENT:
        problems["content"] = [f"Must be 1 to {MAX_CONTENT} characters, with {{{{name}}}} for what is filled in."]
    elif set(values.get("variables") or ()) - set(placeholders(content)):
        problems["variables"] = ["The content has no such placeholders."]
    if problems:
        raise Invalid("the quick reply is not complete", fields=problems)


def _author(by: Caller) -> str:
    return by.agent_id or by.token_id


def _invalid(path: str, why: str) -> Invalid:
    return Invalid(why, fields={path: [why]})


def _refused(error: SendError) -> Conflict:
    said = error.error.details or error.error.message or error.error.title or "no reason given"
    return Conflict(f"The vendor refused: {said}", code=REFUSED, details={"vendorCode": error.error.code})


def _elsewhere(what: str) -> Conflict:
    why = f"This vendor lets nobody {what} templates from here: do it there, then synchronise."
    return Conflict(why, code=ELSEWHERE)
