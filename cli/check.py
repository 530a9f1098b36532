"""`hookline check`: is everything a running system needs in place?

A table, and a non-zero exit code on any failure. Deliberately changes nothing.
"""

from collections.abc import Callable
from typing import Final

import click
import redis

from cli.options import data_option, settings
from models.store.indexes import missing
from providers import registry
from providers.accounts import open_account
from runtime.connections import connect_redis_briefly
from runtime.errors import CryptoError
from services.wiring import Services


@click.command()
@data_option
def check() -> None:
    """Check settings, MongoDB, indexes, Redis, keys and accounts."""
    services = Services(settings(), application="check")
    failures = 0
    for name, probe in PROBES.items():
        problem = _probed(probe, services)
        failures += bool(problem)
        click.echo(f"{'FAIL' if problem else 'ok':4}  {name:10}  {problem or ''}".rstrip())
    if failures:
        raise SystemExit(1)


def _probed(probe: "Callable[[Services], str | None]", services: Services) -> str | None:
    try:
        return probe(services)
    except Exception as error:  # noqa: BLE001  a probe that fails in any way is a finding, not a crash
        return f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"


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


def _accounts(services: Services) -> str | None:
    problems = []
    keyring = services.settings.keyring()
    for config in services.configs.live():
        provider = registry.by_name(config.provider)
        if provider is None:
            problems.append(f"{config.id}: unknown vendor {config.provider}")
            continue
        try:
            problem = provider.check(open_account(config, provider, keyring, at=services.clock.now()))
        except CryptoError as error:
            problem = str(error)
        if problem:
            problems.append(f"{config.id}: {problem}")
    return "; ".join(problems) or None


PROBES: Final[dict[str, Callable[[Services], str | None]]] = {
    "settings": lambda _services: None,
    "mongodb": lambda services: services.store.problem(),
    "indexes": _indexes,
    "redis": _redis,
    "accounts": _accounts,
}
