"""`hookline keys`: encryption keys.

Deliberately never prints a key that is in use.
"""

import click
from cryptography.fernet import Fernet

from cli.options import data_option, settings
from providers import registry
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
    stale = 0
    for config in services.configs.all():
        provider = registry.by_name(config.provider)
        if provider is not None:
            stale += services.connecting.reseal(config, provider, dry_run=check)
    click.echo(f"{stale} accounts {'are sealed under an older key' if check else 'sealed anew'}")
    if check and stale:
        raise SystemExit(1)
