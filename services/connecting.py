"""Accounts with vendors: adding one from its vendor's form, and exchanging its secrets.

What an account needs is the dialect's to say (its form); sealing follows from it. Deliberately no opening for
use: that is `providers.accounts`.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from models.ids import new_id
from models.store.configs import Configs
from models.whatsapp_config import OldSecret, WhatsAppConfig, plain_field, sealed_ring, set_field
from providers.accounts import seal_context
from providers.base import FormField, Provider
from runtime.clock import Clock
from runtime.crypto import KeyRing
from runtime.errors import Invalid

#: How long the old value of an exchanged secret is accepted: as long as vendors repeat failed deliveries.
OVERLAP: Final = timedelta(days=7)


class Connecting:
    """Adds and changes accounts."""

    def __init__(self, configs: Configs, keyring: KeyRing, clock: Clock, *, public_url: str) -> None:
        self._configs = configs
        self._keyring = keyring
        self._clock = clock
        self._public_url = public_url

    def add(self, provider: Provider, values: Mapping[str, str], *, name: str | None = None) -> WhatsAppConfig:
        """Store a new account.

        Raises:
            Invalid: a required value is missing, or one is not of this vendor.
        """
        given = _cleaned(provider, {field: value for field, value in values.items() if value})
        _check(provider, given)
        config = WhatsAppConfig(id=new_id("cfg"), provider=provider.name, name=name)
        for form_field in provider.form:
            if form_field.name in given:
                self._write(config, form_field, given[form_field.name])
        config.api_base_url = given.get("apiBaseUrl")
        config.webhook_url = webhook_url(self._public_url, provider, config.id)
        self._configs.add(config, self._clock)
        return config

    def rotate(self, config_id: str, provider: Provider, values: Mapping[str, str]) -> WhatsAppConfig:
        """Exchange secrets; the old values stay good for a while, so that no valid webhook is refused.

        Raises:
            NotFound: no such account.
            Invalid: a value is not a secret of this vendor.
        """
        config = self._configs.get(config_id)
        secrets = {f.name: f for f in provider.form if f.secret}
        if unknown := sorted(set(values) - set(secrets)):
            raise Invalid("not secrets of this vendor", fields={name: ["unknown secret"] for name in unknown})
        now = self._clock.now()
        for name, value in values.items():
            current = sealed_ring(config, name, now)[:1]
            config.old_secrets += [OldSecret(field=name, value=one, until=now + OVERLAP) for one in current]
            self._write(config, secrets[name], value)
        config.old_secrets = [old for old in config.old_secrets if old.until is None or old.until > now]
        changed = {f: getattr(config, f) for f in _SECRET_ATTRIBUTES}
        return self._configs.change(config_id, changed, self._clock)

    def reseal(self, config: WhatsAppConfig, provider: Provider, *, dry_run: bool = False) -> bool:
        """Seal an account's secrets under the newest key; say whether any was under an older one."""
        now = self._clock.now()
        rings = {f.name: sealed_ring(config, f.name, now) for f in provider.form if f.secret}
        if all(self._keyring.is_current(token) for ring in rings.values() for token in ring):
            return False
        if not dry_run:
            for name in (name for name, ring in rings.items() if ring):
                token = self._keyring.reseal(rings[name][0], context=seal_context(config.id, name))
                set_field(config, name, token, secret=True)
            config.old_secrets = [self._resealed(config.id, old) for old in config.old_secrets]
            self._configs.change(config.id, {f: getattr(config, f) for f in _SECRET_ATTRIBUTES}, self._clock)
        return True

    def _resealed(self, config_id: str, old: OldSecret) -> OldSecret:
        return replace(old, value=self._keyring.reseal(old.value, context=seal_context(config_id, old.field)))

    def _write(self, config: WhatsAppConfig, form_field: FormField, value: str) -> None:
        if form_field.secret:
            value = self._keyring.seal(value, context=seal_context(config.id, form_field.name))
        set_field(config, form_field.name, value, secret=form_field.secret)


_SECRET_ATTRIBUTES: Final = (
    "access_token",
    "webhook_verify_token",
    "webhook_secret",
    "auth_token",
    "api_key",
    "other_secrets",
    "old_secrets",
)


def webhook_url(public_url: str, provider: Provider, config_id: str) -> str:
    """The address to give the vendor for one account."""
    return f"{public_url}/api/whatsapp/webhooks/{provider.slug}/{config_id}"


def described(config: WhatsAppConfig, provider: Provider) -> dict[str, object]:
    """An account as people and programs may see it: secrets only as whether they are set."""
    shown: dict[str, object] = {
        "id": config.id,
        "provider": config.provider,
        "name": config.name,
        "isActive": config.is_active,
        "webhookUrl": config.webhook_url,
        "webhookStatus": config.webhook_status.value,
        "health": config.health.state.value,
    }
    for form_field in provider.form:
        value = plain_field(config, form_field.name)
        if form_field.secret:
            shown[f"has{form_field.name[0].upper()}{form_field.name[1:]}"] = bool(value)
        elif value is not None:
            shown[form_field.name] = value
    return shown


def _cleaned(provider: Provider, given: Mapping[str, str]) -> dict[str, str]:
    """Bring values into the form in which they are stored.

    Raises:
        Invalid: one is not what its field is for.
    """
    clean = {f.name: f.clean for f in provider.form if f.clean and f.name in given}
    found = {name: make(given[name]) for name, make in clean.items()}
    if wrong := {f.name: [f"{f.flag} is not valid"] for f in provider.form if found.get(f.name, "") is None}:
        raise Invalid("; ".join(message for messages in wrong.values() for message in messages), fields=wrong)
    return {**given, **{name: value for name, value in found.items() if value is not None}}


def _check(provider: Provider, given: Mapping[str, str]) -> None:
    known = {f.name for f in provider.form} | {"apiBaseUrl"}
    problems = {name: [f"not a field of {provider.name}"] for name in given if name not in known}
    problems |= {f.name: [f"{f.flag} is required"] for f in provider.form if f.required and f.name not in given}
    if problems:
        raise Invalid("; ".join(message for messages in problems.values() for message in messages), fields=problems)
