"""`hookline check`: tell whether everything a running system needs is in place.

A table, and a non-zero exit code on any failure. Deliberately leaves nothing behind: the one thing written, a file in
the bucket that keeps files, is removed again.
"""

from collections.abc import Callable
from typing import Final

import click
import redis

from cli.options import data_option, settings
from models.store.indexes import missing
from models.store.pauses import Pauses
from models.whatsapp_config import WhatsAppConfig
from providers import registry
from providers.accounts import open_account, open_accounts
from runtime.connections import connect_redis_briefly
from runtime.errors import CryptoError
from runtime.logs import scrub
from services.wiring import Services


@click.command()
@data_option
def check() -> None:
    """Check settings, MongoDB, indexes, Redis, the storage of files, keys, accounts, and whether they send."""
    services = Services(settings(), application="check")
    problems: dict[str, str | None] = {}
    for name, probe in PROBES.items():
        # Each of these would only wait in vain for the same database.
        in_vain = name in IN_MONGODB and problems["mongodb"]
        problem = problems[name] = "not checked without mongodb" if in_vain else _probed(probe, services)
        click.echo(f"{'FAIL' if problem else 'ok':4}  {name:10}  {problem or ''}".rstrip())
    if not problems["mongodb"]:
        for config in _unheard(services):
            click.echo(f"note  webhooks    {config.id}: no webhook has reached it yet")
    if any(problems.values()):
        raise SystemExit(1)


def _unheard(services: Services) -> list[WhatsAppConfig]:
    """The accounts that nothing was ever heard of: their vendor may not have been given the webhook's URL."""
    return [config for config in services.configs.live() if config.last_event_at is None]


def _probed(probe: "Callable[[Services], str | None]", services: Services) -> str | None:
    try:
        return probe(services)
    except Exception as error:  # noqa: BLE001  a probe that fails in any way is a finding, not a crash
        return f"{type(error).__name__}: {scrub(str(error))[:160]}"


def _indexes(services: Services) -> str | None:
    absent = missing(services.store.database)
    return f"missing: {', '.join(absent)}; run `hookline indexes apply`" if absent else None


def _redis(services: Services) -> str | None:
    client = connect_redis_briefly(services.settings.redis_url)
    try:
        client.ping()
    except redis.RedisError as error:
        return f"REDIS_URL: no answer ({type(error).__name__}); webhooks are still stored, and applied when it is back"
    policy = client.info("memory").get("maxmemory_policy")
    return None if policy == "noeviction" else f"maxmemory-policy is {policy}; set noeviction, or jobs vanish silently"


def _keys(services: Services) -> str | None:
    """Tell which accounts none of the keys opens."""
    return "; ".join(problem for config in services.configs.live() if (problem := _unopened(config, services)))


def _unopened(config: WhatsAppConfig, services: Services) -> str | None:
    provider = registry.by_name(config.provider)
    try:
        if provider is not None:
            open_account(config, provider, services.settings.keyring(), at=services.clock.now())
    except CryptoError as error:
        return str(error)
    return None


def _accounts(services: Services) -> str | None:
    """Tell which accounts lack what they need to receive safely, or are of a vendor we do not speak."""
    live = services.configs.live()
    opened = open_accounts(live, services.settings.keyring(), at=services.clock.now())
    spoken = registry.by_names()
    problems = [(account.id, spoken[account.provider].check(account)) for account in opened]
    problems += [(one.id, f"unknown vendor {one.provider}") for one in live if one.provider not in spoken]
    return "; ".join(f"{account_id}: {problem}" for account_id, problem in problems if problem)


def _media(services: Services) -> str | None:
    """Try the bucket out; without one, files are in MongoDB."""
    if services.settings.media_url == "gridfs://":
        return None
    return None if services.media_storage.try_out() else "MEDIA_URL: what was stored came back as something else"


def _sending(services: Services) -> str | None:
    """Tell which accounts do not send now, and why."""
    paused = [pause for pause in Pauses(services.store).all().values() if pause.paused_until and pause.since]
    return "; ".join(f"{one.id}: paused since {one.since:%Y-%m-%d %H:%M} UTC ({one.reason})" for one in paused)


#: Probes that read the database.
IN_MONGODB: Final = frozenset({"indexes", "media", "keys", "accounts", "sending"})
PROBES: Final[dict[str, Callable[[Services], str | None]]] = {
    "settings": lambda _services: None,
    "mongodb": lambda services: services.store.problem(),
    "indexes": _indexes,
    "redis": _redis,
    "media": _media,
    "keys": _keys,
    "accounts": _accounts,
    "sending": _sending,
}
