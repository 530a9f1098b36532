"""Which template is meant, whether it may be sent now, and to whom."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.client_session import ClientSession

from models.ids import new_id
from models.store.templates import note_use
from models.template import Template, TemplateStatus
from models.template_usage import TemplateUsage
from providers.outbound import Destination
from runtime.errors import Conflict, Invalid
from services.curating.using import Using, preview
from tests.support.wired import Wired

BODY = {"type": "BODY", "text": "Hello {{1}}."}
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def add(wired: Wired, **values: Any) -> Template:
    """Store a template as a synchronisation leaves it."""
    defaults = {
        "name": "greeting",
        "language": "en_GB",
        "config_id": wired.account.id,
        "status": TemplateStatus.APPROVED,
        "components": [BODY],
        "whatsapp_template_id": "1730",
    }
    template = Template(**{"id": new_id("tpl"), **defaults, **values})
    wired.templates.add(template, now=NOON)
    return template


def use(wired: Wired, **asked: Any) -> Any:
    defaults = {"config_id": wired.account.id, "name": "greeting", "language": "en_GB"}
    return Using(wired.templates).use(**{**defaults, "values": {"parameters": ["Priya"]}, **asked})


def reason(wired: Wired, **asked: Any) -> Any:
    with pytest.raises(Conflict) as refused:
        use(wired, **asked)
    assert refused.value.code == "template_unusable"
    return refused.value.details["reason"]


def test_a_template_is_found_by_account_name_and_language(wired: Wired) -> None:
    template = add(wired)
    add(wired, language="de", components=[{"type": "BODY", "text": "Hallo {{1}}."}])
    add(wired, config_id="cfg_other", components=[])

    found = use(wired)

    assert (found.template_id, found.provider_template_id) == (template.id, "1730")
    assert (found.name, found.language, found.parameters) == ("greeting", "en_GB", ["Priya"])


def test_the_separator_of_a_language_does_not_matter(wired: Wired) -> None:
    add(wired)

    assert use(wired, language="en-GB").language == "en_GB"


def test_without_a_language_the_only_one_is_meant(wired: Wired) -> None:
    add(wired)
    assert use(wired, language=None).language == "en_GB"

    add(wired, language="de")
    with pytest.raises(Invalid) as refused:
        use(wired, language=None)
    assert refused.value.fields == {"template.language": ["Say which: de, en_GB."]}


@pytest.mark.parametrize("status", [one for one in TemplateStatus if one is not TemplateStatus.APPROVED])
def test_only_approved_templates_are_sent(wired: Wired, status: TemplateStatus) -> None:
    add(wired, status=status)

    assert reason(wired) == status.value


def test_the_vendors_reason_is_told(wired: Wired) -> None:
    add(wired, status=TemplateStatus.REJECTED, rejection_reason="INVALID_FORMAT")

    with pytest.raises(Conflict, match=r"the vendor rejected it \(INVALID_FORMAT\)"):
        use(wired)


def test_unknown_deleted_inactive_and_undefined_templates_are_not_sent(wired: Wired) -> None:
    assert reason(wired) == "unknown"
    template = add(wired)
    wired.templates.change(template.id, {"is_active": False}, now=NOON)
    assert reason(wired) == "inactive"
    wired.templates.change(template.id, {"is_active": True, "components": None}, now=NOON)
    assert reason(wired) == "not_synchronised"
    wired.templates.remove(template.id, now=NOON)
    assert reason(wired) == "unknown"


def test_authentication_templates_go_to_phone_numbers_only(wired: Wired) -> None:
    add(wired, category="AUTHENTICATION")
    hidden, known = Destination(user_id="GB.4821"), Destination(user_id="GB.4821", phone="+447700900381")

    assert reason(wired, values={"parameters": ["490712"]}, to=hidden) == "no_phone_number"
    assert use(wired, values={"parameters": ["490712"]}, to=known).parameters == ["490712"]


def test_other_templates_go_to_hidden_numbers_too(wired: Wired) -> None:
    add(wired, category="UTILITY")

    assert use(wired, to=Destination(user_id="GB.4821")).parameters == ["Priya"]


def test_usable_templates_are_named_with_their_language(wired: Wired) -> None:
    add(wired, name="b")
    add(wired, name="a", language="de")
    add(wired, name="paused", status=TemplateStatus.PAUSED)
    add(wired, name="off", is_active=False)
    add(wired, name="elsewhere", config_id="cfg_other")

    assert wired.using.usable(wired.account.id) == [
        {"name": "a", "language": "de"},
        {"name": "b", "language": "en_GB"},
    ]


def test_a_quick_reply_is_previewed_with_what_it_lacks() -> None:
    reply = Template(id="tpl_1", name="hello", content="Hello {{name}}, order {{ order }} is on its way.")

    shown = preview(reply, {"name": "Priya"})

    assert shown.text == "Hello Priya, order {{ order }} is on its way."
    assert shown.missing == ["order"]


def test_uses_are_noted_in_the_transaction_of_the_message_and_counted_once(wired: Wired) -> None:
    template = add(wired)
    client = wired.store.client

    def note(message_id: str, moment: datetime, session: ClientSession) -> None:
        note_use(wired.store, [TemplateUsage(id=message_id, template_id=template.id, at=moment)], session=session)

    for number, moment in enumerate((NOON, NOON.replace(hour=11))):
        with client.start_session() as session, session.start_transaction():
            note(f"msg_{number}", moment, session)
    with client.start_session() as session:
        session.start_transaction()
        note("msg_never", NOON, session)
        session.abort_transaction()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: wired.templates.count_uses(now=NOON), range(4)))

    counted = wired.templates.get(template.id)
    assert (counted.usage_count, counted.last_used_at) == (2, NOON)
