"""Accounts with vendors: adding one from its vendor's form, and exchanging its secrets.

What an account needs is the dialect's to say (its form); sealing follows from it. Deliberately no opening for
use: that is `providers.accounts`.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from models.ids import new_id
from models.store.configs import Configs
from models.whatsapp_config import OldSecret, WhatsAppConfig, plain_field, sealed_ring, secret_path, set_field
from providers.accounts import open_plainly, seal_context
from providers.base import FormField, Provider
from runtime.clock import Clock
from runtime.crypto import KeyRing
from runtime.errors import Conflict, Invalid

#: How long the old value of an exchanged secret is accepted: as long as vendors repeat failed deliveries.
OVERLAP: Final = timedelta(days=7)
#: How often a change begins again because others change the same account.
TRIES: Final = 5
#: Stands in an address where a secret belongs, which is never shown.
GAP: Final = "<webhook-secret>"
#: Later than any secret's overlap: what is in force then is what is in force without old values.
_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)
#: Code of the conflict: a live account has the number already.
TAKEN: Final = "number_taken"
Alter = Callable[[WhatsAppConfig, datetime], None]


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
            Conflict: a live account has this number already; with two nobody could say which one a chat belongs to.
        """
        given = _cleaned(provider, {field: value.strip() for field, value in values.items() if value.strip()})
        _check(provider, given)
        config = WhatsAppConfig(id=new_id("cfg"), provider=provider.name, name=name)
        for form_field in provider.form:
            if form_field.name in given:
                self._write(config, form_field, given[form_field.name])
        config.api_base_url = given.get("apiBaseUrl")
        self._check_free(config, provider)
        config.webhook_url = webhook_url(self._public_url, provider, config.id)
        self._configs.add(config, self._clock)
        return config

    def _check_free(self, config: WhatsAppConfig, provider: Provider) -> None:
        number = _number(config, provider)
        others = (one for one in self._configs.live() if one.provider == provider.name)
        taken = next((one.id for one in others if number is not None and _number(one, provider) == number), None)
        if taken:
            way = f"exchange its secrets with `hookline configs rotate {taken}`"
            raise Conflict(f"account {taken} has this number already; {way}", code=TAKEN, details={"configId": taken})

    def rotate(self, config_id: str, provider: Provider, values: Mapping[str, str]) -> WhatsAppConfig:
        """Exchange secrets; the old values stay good for a while, so that no valid webhook is refused.

        Raises:
            NotFound: no such account.
            Invalid: a value is empty or not a secret of this vendor.
        """
        _check_secrets(provider, values)
        given = _cleaned(provider, {name: value.strip() for name, value in values.items()})

        def exchange(config: WhatsAppConfig, now: datetime) -> None:
            for form_field in (f for f in provider.form if f.name in given):
                current = sealed_ring(config, form_field.name, now)[:1]
                config.old_secrets += [
                    OldSecret(field=form_field.name, value=one, until=now + OVERLAP) for one in current
                ]
                self._write(config, form_field, given[form_field.name])

        return self._change_secrets(config_id, provider, exchange)

    def reseal(self, config: WhatsAppConfig, provider: Provider, *, dry_run: bool = False) -> bool:
        """Seal an account's secrets under the newest key; say whether any was under an older one.

        Raises:
            CryptoError: one of them does not open with our keys.
        """
        now = self._clock.now()
        rings = [sealed_ring(config, f.name, now) for f in provider.form if f.secret]
        if all(self._keyring.is_current(token) for ring in rings for token in ring):
            return False
        if not dry_run:
            self._change_secrets(config.id, provider, lambda fresh, now: self._reseal_all(fresh, provider, now))
        return True

    def _reseal_all(self, config: WhatsAppConfig, provider: Provider, now: datetime) -> None:
        for name in (f.name for f in provider.form if f.secret):
            ring = sealed_ring(config, name, now)
            if ring:
                set_field(config, name, self._resealed(config.id, name, ring[0]), secret=True)
        config.old_secrets = [
            replace(old, value=self._resealed(config.id, old.field, old.value)) for old in config.old_secrets
        ]

    def _resealed(self, config_id: str, name: str, token: str) -> str:
        return self._keyring.reseal(token, context=seal_context(config_id, name))

    def _change_secrets(self, config_id: str, provider: Provider, alter: Alter) -> WhatsAppConfig:
        """Alter an account's secrets as they are at this moment: of two changes at once neither undoes the other."""
        for last in [False] * (TRIES - 1) + [True]:
            now = self._clock.now()
            config = self._configs.get(config_id)
            held = _held(config, provider)
            config.old_secrets = [old for old in config.old_secrets if old.until is None or old.until > now]
            alter(config, now)
            changed = {f: getattr(config, f) for f in _SECRET_ATTRIBUTES}
            try:
                return self._configs.change(config_id, changed, self._clock, held=held)
            except Conflict:
                if last:
                    raise
        raise AssertionError("the last try returns or raises")

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


def url_to_give(config: WhatsAppConfig, provider: Provider) -> str | None:
    """Spell the address as the vendor is to have it: where a secret belongs into it, with a gap for that secret."""
    if config.webhook_url is None or provider.secret_parameter is None:
        return config.webhook_url
    return f"{config.webhook_url}?{provider.secret_parameter}={GAP}"


def described(config: WhatsAppConfig, provider: Provider) -> dict[str, object]:
    """An account as people and programs may see it: secrets only as whether they are set."""
    shown: dict[str, object] = {
        "id": config.id,
        "provider": config.provider,
        "name": config.name,
        "isActive": config.is_active,
        "webhookUrl": config.webhook_url,
        **({"webhookSecretParameter": provider.secret_parameter} if provider.secret_parameter else {}),
        "webhookStatus": config.webhook_status.value,
        "lastEventAt": config.last_event_at,
        "health": config.health.state.value,
    }
    for form_field in provider.form:
        value = plain_field(config, form_field.name)
        if form_field.secret:
            in_force = sealed_ring(config, form_field.name, _END_OF_TIME)
            shown[f"has{form_field.name[0].upper()}{form_field.name[1:]}"] = bool(in_force)
        elif value is not None:
            shown[form_field.name] = value
    return shown


def _number(config: WhatsAppConfig, provider: Provider) -> Hashable | None:
    """Say whose number an account is; no secret is opened for that."""
    return provider.number(open_plainly(config, provider))


def _held(config: WhatsAppConfig, provider: Provider) -> dict[str, str | None]:
    """Say by path what a document holds of its secrets: every sealing differs, so this tells two states apart."""
    rings = {f.name: sealed_ring(config, f.name, _END_OF_TIME) for f in provider.form if f.secret}
    return {secret_path(name): ring[0] if ring else None for name, ring in rings.items()}


def _check_secrets(provider: Provider, values: Mapping[str, str]) -> None:
    secrets = {f.name for f in provider.form if f.secret}
    problems = {name: ["unknown secret"] for name in values if name not in secrets}
    problems |= {name: ["is empty"] for name, value in values.items() if not value.strip()}
    if problems:
        raise Invalid(f"not secrets of {provider.name}, or empty: {', '.join(sorted(problems))}", fields=problems)


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
    problems = {name: [f"{name} is not a field of {provider.name}"] for name in given if name not in known}
    problems |= {f.name: [f"{f.flag} is required"] for f in provider.form if f.required and f.name not in given}
    if not given.get("apiBaseUrl", "https://").startswith(("https://", "http://")):
        problems["apiBaseUrl"] = ["--api-base-url must begin with https:// or http://"]
    elif set("?#@") & set(given.get("apiBaseUrl", "")):
        # Vendors show such addresses with the token in them, and this field is no secret one.
        problems["apiBaseUrl"] = ["--api-base-url must be an address alone, without a token or anything after it"]
    if problems:
        raise Invalid("; ".join(message for messages in problems.values() for message in messages), fields=problems)
