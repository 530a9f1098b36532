"""`hookline keys`: encryption keys.

Deliberately never prints a key that is in use.
"""

import click
from cryptography.fernet import Fernet

from cli.options import data_option, settings
from models.whatsapp_config import WhatsAppConfig
from providers import registry
from runtime.errors import CryptoError
from services.wiring import Services


@click.group()
def keys() -> None:
    """Encryption keys."""


@keys.command("generate")
def generate_command() -> None:
    """Print a new key for ENCRYPTION_KEYS; put it first, keep the old ones until `keys rotate` is done."""
    click.echo(Fernet.generate_key().decode())


@keys.command("rotate")
@click.option("--check", is_flag=True, help="Only say how many accounts are sealed under an older key.")
@data_option
def rotate_command(check: bool) -> None:  # noqa: FBT001
    """Seal all accounts' secrets under the newest key; may be interrupted and repeated."""
    services = Services(settings(), application="cli")
    outcomes = [_resealed(services, config, dry_run=check) for config in services.configs.all()]
    stale, left = outcomes.count(True), outcomes.count(None)
    click.echo(f"{stale} accounts {'are sealed under an older key' if check else 'sealed anew'}")
    if left:
        raise click.ClickException(f"{left} accounts could not be opened; keep their keys until they can")
    if check and stale:
        raise SystemExit(1)


def _resealed(services: Services, config: WhatsAppConfig, *, dry_run: bool) -> bool | None:
    """Say whether an account was sealed under an older key; None, with a word why, where nobody can tell."""
    provider = registry.by_name(config.provider)
    try:
        if provider is not None:
            return services.connecting.reseal(config, provider, dry_run=dry_run)
        problem = f"{config.id}: unknown vendor {config.provider}"
    except CryptoError as error:
        problem = str(error)
    click.echo(f"hookline: {problem}", err=True)
    return None
