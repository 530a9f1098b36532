"""Opening stored accounts for use: plain fields by name, secrets unsealed into rings.

Deliberately no database: configs come in as entities. An account whose secrets do not open is left out
and reported, never fatal: the others keep working.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from models.whatsapp_config import WhatsAppConfig, plain_field, sealed_ring
from providers import registry
from providers.base import Account, Provider
from runtime.crypto import KeyRing, Secret
from runtime.errors import CryptoError
from runtime.logs import logger

_log = logger(__name__)


def seal_context(config_id: str, field_name: str) -> str:
    """The place a config's secret belongs to; sealed in with it."""
    return f"{config_id}/{field_name}"


def open_accounts(configs: Iterable[WhatsAppConfig], keyring: KeyRing, *, at: datetime) -> list[Account]:
    """Open all configs whose vendor we speak and whose secrets open."""
    accounts = []
    for config in configs:
        provider = registry.by_name(config.provider)
        if provider is None:
            continue
        try:
            accounts.append(open_account(config, provider, keyring, at=at))
        except CryptoError as error:
            _log.error("account_not_opened", config_id=config.id, error=str(error))
    return accounts


def open_account(config: WhatsAppConfig, provider: Provider, keyring: KeyRing, *, at: datetime) -> Account:
    """Open one config by its vendor's form; an exchanged secret that no longer opens is left out.

    Raises:
        CryptoError: a secret in force does not open with our keys, or not in its place.
    """
    secrets = {
        f.name: _opened(ring, keyring, context=seal_context(config.id, f.name))
        for f in provider.form
        if f.secret and (ring := sealed_ring(config, f.name, at))
    }
    return replace(open_plainly(config, provider), secrets=secrets)


def open_plainly(config: WhatsAppConfig, provider: Provider) -> Account:
    """Open a config without its secrets: enough to tell whose number it is."""
    fields = {f.name: value for f in provider.form if not f.secret and (value := plain_field(config, f.name))}
    base_url = (config.api_base_url or "").rstrip("/") or None
    return Account(id=config.id, provider=config.provider, fields=fields, secrets={}, api_base_url=base_url)


def _opened(ring: Sequence[str], keyring: KeyRing, *, context: str) -> tuple[Secret, ...]:
    newest, *exchanged = ring
    return (keyring.open(newest, context=context), *_those_that_open(exchanged, keyring, context=context))


def _those_that_open(ring: Iterable[str], keyring: KeyRing, *, context: str) -> Iterator[Secret]:
    for token in ring:
        try:
            yield keyring.open(token, context=context)
        except CryptoError as error:
            _log.warning("exchanged_secret_not_opened", reason=str(error))
