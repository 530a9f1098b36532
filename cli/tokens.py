"""`hookline tokens`: bearer tokens of the API.

A token is printed once, when it is made. Deliberately no way to show one again.
"""

from datetime import datetime

import click

from cli.events import Moment
from cli.options import as_text, data_option, json_option, settings, show
from models.agent import Role
from models.api_token import ApiToken, is_live
from services.wiring import Services


@click.group()
def tokens() -> None:
    """Bearer tokens of the API."""


@tokens.command("create")
@click.option("--name", required=True, help="What or whom it is for.")
@click.option("--agent", "agent_id", metavar="ID", help="The agent who will use it.")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.AGENT.value, show_default=True)
@click.option("--expires", type=Moment(ahead=True), help="When it ends, e.g. 2027-01-31, or in 90d.")
@json_option
@data_option
def create_command(
    name: str,
    agent_id: str | None,
    role: str,
    expires: datetime | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Make a token and print it, once."""
    services = Services(settings(), application="cli")
    made = services.tokens.create(name=name, role=Role(role), agent_id=agent_id, expires_at=expires)
    clear = made.clear.reveal()
    click.echo(as_text({"token": clear, "id": made.row.id}) if as_json else clear)


@tokens.command("list")
@json_option
@data_option
def list_command(as_json: bool) -> None:  # noqa: FBT001
    """List the tokens by their beginnings."""
    services = Services(settings(), application="cli")
    now = services.clock.now()
    columns = ("id", "prefix", "name", "role", "agentId", "state", "lastUsedAt")
    show([_shown(token, now) for token in services.tokens.all()], columns=columns, as_json=as_json)


@tokens.command("revoke")
@click.argument("token_id")
@data_option
def revoke_command(token_id: str) -> None:
    """Take a token back; it ends everywhere within a second."""
    services = Services(settings(), application="cli")
    services.tokens.revoke(token_id)
    click.echo(f"token {token_id} revoked")


def _shown(token: ApiToken, now: datetime) -> dict[str, object]:
    state = "revoked" if token.revoked_at else "live" if is_live(token, now) else "expired"
    return {
        "id": token.id,
        "prefix": token.prefix,
        "name": token.name,
        "role": token.role.value,
        "agentId": token.agent_id,
        "state": state,
        "lastUsedAt": token.last_used_at,
        "expiresAt": token.expires_at,
    }
