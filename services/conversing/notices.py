"""What vendors say besides messages: about templates, accounts, address books and people's wishes.

Every word has its time, and of two words on one thing the later counts, in whatever order they come. Deliberately
no calls back to the vendor: what a word does not say is learnt by the next synchronisation.
"""

from typing import Final

from models.customer import Wish
from models.ids import new_id
from models.store.batch import Batch, TemplateKey
from models.template import Template, TemplateStatus
from models.values import Outcome
from models.whatsapp_config import Health, HealthState
from providers.events import AccountChanged, ContactSynced, PreferenceChanged, TemplateChanged
from services.conversing.facts import Fact, Verdict, ignored
from services.conversing.parties import acquaint
from services.curating.telling import tell

#: Why nothing followed from a word that changes nothing here.
KEPT: Final = "kept_with_webhook"
#: What a word on a template may change: its name there -> our field.
_TEMPLATE_FIELDS: Final = {
    "status": "status",
    "rejectionReason": "rejection_reason",
    "quality": "quality",
    "category": "category",
}


def template_key(fact: Fact, event: TemplateChanged) -> TemplateKey:
    """How a template is looked up: a name means another template in each language."""
    return fact.account.id, event.name or "", event.language or ""


def change_template(batch: Batch, fact: Fact, event: TemplateChanged) -> Verdict:
    """Note what became of a template; one we have not synchronised yet is made known by it."""
    if not event.name:
        return ignored("unnamed_template")
    key = template_key(fact, event)
    is_new = key not in batch.templates
    known = batch.add_template(key, _template(fact, event, event.name)) if is_new else batch.templates[key]
    told = {_TEMPLATE_FIELDS[name]: value for name, value in event.changes.items() if name in _TEMPLATE_FIELDS}
    parts = event.changes.get("components", ())
    if tell(known, told, at=fact.at, parts=parts) or is_new:
        return Verdict(outcome=Outcome.APPLIED)
    return Verdict(outcome=Outcome.DUPLICATE) if told or parts else ignored(KEPT)


def change_account(batch: Batch, fact: Fact, event: AccountChanged) -> Verdict:
    """Note an account's health where the word settles it; anything else is kept with its webhook."""
    config = batch.configs.get(fact.account.id)
    if event.health is None or config is None:
        return ignored(KEPT)
    since, at = config.entity.health.since, fact.at
    if since is not None and at <= since:
        return Verdict(outcome=Outcome.DUPLICATE)
    config.set(health=Health(state=HealthState(event.health), since=at, reason=event.reason or event.event_name))
    return Verdict(outcome=Outcome.APPLIED)


def sync_contact(batch: Batch, fact: Fact, event: ContactSynced) -> Verdict:
    """Take a name from the phone app's address book; what was removed there stays known here."""
    if event.removed or not event.party.name:
        return ignored("no_name")
    customer, _ = acquaint(batch, fact, event.party)
    at = fact.at
    if customer.entity.booked_at is not None and at <= customer.entity.booked_at:
        return Verdict(outcome=Outcome.DUPLICATE)
    customer.set(name=event.party.name, booked_at=at)
    return Verdict(outcome=Outcome.APPLIED)


def change_preference(batch: Batch, fact: Fact, event: PreferenceChanged) -> Verdict:
    """Note a person's wish about a category of messages."""
    if not event.party.known:
        return ignored("no_party")
    customer, _ = acquaint(batch, fact, event.party)
    wishes, at = customer.entity.message_preferences or {}, fact.at
    known = wishes.get(event.category)
    if known is not None and at <= known.at:
        return Verdict(outcome=Outcome.DUPLICATE)
    customer.set(message_preferences=wishes | {event.category: Wish(value=event.value, at=at)})
    return Verdict(outcome=Outcome.APPLIED)


def _template(fact: Fact, event: TemplateChanged, name: str) -> Template:
    return Template(
        id=new_id("tpl"),
        config_id=fact.account.id,
        name=name,
        whatsapp_template_id=event.template_id,
        whatsapp_template_name=name,
        language=event.language,
        status=TemplateStatus.PENDING,
    )
