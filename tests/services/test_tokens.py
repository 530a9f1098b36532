"""Tokens: made once, kept as digests, good until they are not."""

import re
from datetime import timedelta

import pytest
from pymongo.read_concern import ReadConcern

from models.agent import Permissions, Role
from models.audit_entry import AuditEntry
from models.store.codec import from_document
from models.store.tokens import ApiTokens
from runtime.crypto import digest
from runtime.errors import Invalid, NotFound, Unauthenticated
from services.tokens import Tokens
from tests.support.waiting import until
from tests.support.wired import Wired


def refusal(tokens: Tokens, clear: str) -> str:
    try:
        tokens.authenticate(clear)
    except Unauthenticated as error:
        return str(error)
    return "none"


def another_process(wired: Wired) -> Tokens:
    return Tokens(ApiTokens(wired.store), wired.auditing, wired.clock)


def test_a_token_has_256_random_bits_behind_a_prefix(wired: Wired) -> None:
    made = {wired.tokens.create(name="x").clear.reveal() for _ in range(20)}
    assert len(made) == 20
    assert all(re.fullmatch(r"hk_[A-Za-z0-9_-]{43}", clear) for clear in made)


def test_the_clear_text_is_nowhere_in_the_database(wired: Wired) -> None:
    clear = wired.tokens.create(name="phone app").clear.reveal()
    for collection in ("apitokens", "auditentries"):
        assert clear not in str(list(wired.store.database[collection].find()))
    row = wired.store.apitokens.find_one({"tokenSha256": digest(clear)})
    assert row is not None
    assert row["prefix"] == clear[:9]


def test_a_new_token_shows_its_secret_only_when_asked(wired: Wired) -> None:
    new = wired.tokens.create(name="x")
    assert new.clear.reveal() not in repr(new)


def test_a_token_says_who_presents_it(wired: Wired) -> None:
    flags = Permissions(can_view_reports=True)
    new = wired.tokens.create(name=" Amara ", role=Role.AGENT, agent_id="agt_amara", permissions=flags)
    caller = wired.tokens.authenticate(new.clear.reveal())
    assert (caller.token_id, caller.name, caller.agent_id) == (new.row.id, "Amara", "agt_amara")
    assert (caller.role, caller.permissions) == (Role.AGENT, flags)


def test_a_role_presets_the_flags(wired: Wired) -> None:
    new = wired.tokens.create(name="x", role=Role.SUPERVISOR)
    caller = wired.tokens.authenticate(new.clear.reveal())
    assert caller.sees_all_chats
    assert caller.is_overseer
    assert not caller.is_admin


@pytest.mark.parametrize("presented", ["", "hk_", "hk_short", "HK_" + "a" * 43, "hk_" + "a" * 44, "hk_" + "é" * 43])
def test_what_does_not_look_like_a_token_is_never_looked_up(wired: Wired, presented: str) -> None:
    assert refusal(wired.tokens, presented) == "malformed"


def test_a_token_never_made_is_unknown(wired: Wired) -> None:
    assert refusal(wired.tokens, "hk_" + "a" * 43) == "unknown"


def test_one_changed_character_makes_it_another_token(wired: Wired) -> None:
    clear = wired.tokens.create(name="x").clear.reveal()
    other = clear[:-1] + ("a" if clear[-1] != "a" else "b")
    assert refusal(wired.tokens, other) == "unknown"


def test_a_token_expires_on_the_moment(wired: Wired) -> None:
    until_then = wired.clock.now() + timedelta(hours=1)
    clear = wired.tokens.create(name="x", expires_at=until_then).clear.reveal()
    wired.clock_hand.move(timedelta(hours=1) - timedelta(milliseconds=1))
    assert refusal(wired.tokens, clear) == "none"
    wired.clock_hand.move(timedelta(milliseconds=1))
    assert refusal(wired.tokens, clear) == "expired"


def test_a_revocation_is_in_effect_here_at_once(wired: Wired) -> None:
    new = wired.tokens.create(name="x")
    assert refusal(wired.tokens, new.clear.reveal()) == "none"
    wired.tokens.revoke(new.row.id)
    assert refusal(wired.tokens, new.clear.reveal()) == "revoked"


def test_a_revocation_is_in_effect_elsewhere_within_a_second(wired: Wired) -> None:
    new = wired.tokens.create(name="x")
    elsewhere = another_process(wired)
    assert refusal(elsewhere, new.clear.reveal()) == "none"
    wired.tokens.revoke(new.row.id)
    until(lambda: refusal(elsewhere, new.clear.reveal()) == "revoked", seconds=1.0, what="the revocation")


def test_a_token_is_looked_up_once_in_a_while_and_not_for_each_request(wired: Wired) -> None:
    clear = wired.tokens.create(name="x").clear.reveal()
    wired.tokens.authenticate(clear)
    wired.store.apitokens.delete_many({})
    assert refusal(wired.tokens, clear) == "none"
    until(lambda: refusal(wired.tokens, clear) == "unknown", seconds=2.0, what="a fresh look-up")


def test_a_revocation_keeps_its_first_moment(wired: Wired) -> None:
    new = wired.tokens.create(name="x")
    first = wired.tokens.revoke(new.row.id).revoked_at
    wired.clock_hand.move(timedelta(minutes=5))
    assert wired.tokens.revoke(new.row.id).revoked_at == first


def test_what_is_not_there_cannot_be_revoked(wired: Wired) -> None:
    with pytest.raises(NotFound):
        wired.tokens.revoke("tok_never")
    assert wired.store.auditentries.count_documents({"verb": "revoke"}) == 0


@pytest.mark.parametrize("gone", [{"isDeleted": True, "isActive": True}, {"isDeleted": False, "isActive": False}])
def test_a_token_goes_with_its_agent(wired: Wired, gone: dict[str, bool]) -> None:
    clear = wired.tokens.create(name="x", agent_id="agt_amara").clear.reveal()
    wired.store.agents.insert_one({"id": "agt_amara", "isDeleted": False, "isActive": True})
    assert refusal(another_process(wired), clear) == "none"
    wired.store.agents.update_one({"id": "agt_amara"}, {"$set": gone})
    assert refusal(another_process(wired), clear) == "unknown"


def last_used(wired: Wired, token_id: str) -> object:
    """Look at the row as it is on this server: the mark of use waits for no majority."""
    tokens = wired.store.apitokens.with_options(read_concern=ReadConcern("local"))
    return (tokens.find_one({"id": token_id}) or {}).get("lastUsedAt")


def test_use_is_noted_at_most_once_a_minute(wired: Wired) -> None:
    new = wired.tokens.create(name="x")
    assert last_used(wired, new.row.id) is None
    began = wired.clock.now()
    another_process(wired).authenticate(new.clear.reveal())
    assert last_used(wired, new.row.id) == began
    wired.clock_hand.move(timedelta(seconds=59))
    another_process(wired).authenticate(new.clear.reveal())
    assert last_used(wired, new.row.id) == began
    wired.clock_hand.move(timedelta(seconds=1))
    another_process(wired).authenticate(new.clear.reveal())
    assert last_used(wired, new.row.id) == began + timedelta(minutes=1)


def test_a_refused_token_is_not_noted_as_used(wired: Wired) -> None:
    new = wired.tokens.create(name="x")
    wired.tokens.revoke(new.row.id)
    assert refusal(wired.tokens, new.clear.reveal()) == "revoked"
    assert last_used(wired, new.row.id) is None


def test_all_tokens_are_listed_oldest_first_revoked_ones_too(wired: Wired) -> None:
    made = [wired.tokens.create(name=name).row.id for name in ("a", "b", "c")]
    wired.tokens.revoke(made[1])
    assert [token.id for token in wired.tokens.all()] == made


def test_making_and_revoking_are_audited(wired: Wired) -> None:
    admin = wired.tokens.authenticate(wired.tokens.create(name="root", role=Role.ADMIN).clear.reveal())
    new = wired.tokens.create(name="x", by=admin)
    wired.tokens.revoke(new.row.id, by=admin)
    rows = wired.store.auditentries.find({"entityId": new.row.id}).sort("id", 1)
    entries = [from_document(AuditEntry, row) for row in rows]
    assert [(entry.verb, entry.actor_id, entry.actor_name) for entry in entries] == [
        ("create", admin.token_id, "root"),
        ("revoke", admin.token_id, "root"),
    ]


def test_a_token_needs_a_name_and_a_future(wired: Wired) -> None:
    with pytest.raises(Invalid) as refused:
        wired.tokens.create(name="  ", expires_at=wired.clock.now())
    assert set(refused.value.fields) == {"name", "expiresAt"}
    assert wired.tokens.all() == []
