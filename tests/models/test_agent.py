import dataclasses

from models.agent import ROLE_PERMISSIONS, Agent, Permissions, Role, permissions_of
from models.store.codec import to_document


def allowed(permissions: Permissions) -> set[str]:
    return {name for name, value in dataclasses.asdict(permissions).items() if value}


def test_admins_and_supervisors_have_every_flag() -> None:
    every = {flag.name for flag in dataclasses.fields(Permissions)}
    assert allowed(permissions_of(Role.ADMIN)) == every
    assert allowed(permissions_of(Role.SUPERVISOR)) == every


def test_an_agent_may_only_hand_over() -> None:
    assert allowed(permissions_of(Role.AGENT)) == {"can_transfer_chats"}
    assert allowed(Agent(id="agt_1", name="Ada").permissions) == {"can_transfer_chats"}


def test_every_role_has_a_preset() -> None:
    assert set(ROLE_PERMISSIONS) == set(Role)


def test_flags_are_spelled_as_the_seed_does() -> None:
    assert "canViewAllChats" in to_document(Permissions())
