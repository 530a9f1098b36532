"""`hookline configs`: the accounts with vendors.

The options of `add` and `rotate` are the vendors' own forms, so a new vendor needs nothing here. Deliberately
no secret is ever printed.
"""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from cli.options import as_text, data_option, json_option, settings, show
from providers import registry
from providers.base import FormField, Provider
from services.connecting import GAP, described, url_to_give, webhook_url
from services.wiring import Services

#: Hosts that lead nowhere but to this machine.
_HERE: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_UNREACHABLE: Final = (
    "note: no vendor can call this machine's own address; set PUBLIC_URL to one that leads here, for all processes "
    "(for `hookline up`, before it starts)"
)
#: A field that every vendor's account may have.
API_BASE_URL: Final = FormField("apiBaseUrl", "--api-base-url", help="Replaces the vendor's host (tests, proxies).")


def _flags(*, secret_only: bool = False) -> dict[str, FormField]:
    """Every flag of any vendor's form; vendors that share one mean the same by it, but may keep it elsewhere."""
    fields = [API_BASE_URL, *(f for provider in registry.all_providers() for f in provider.form)]
    return {f.flag: f for f in fields if f.secret or not secret_only}


def _form_options(*, secret_only: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add one option per flag; a secret may also come from the environment or a prompt (`-`)."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for flag, form_field in reversed(_flags(secret_only=secret_only).items()):
            shown = _about(form_field) + (" ('-' asks for it)" if form_field.secret else "")
            variable = f"HOOKLINE_{_parameter(flag).upper()}" if form_field.secret else None
            option = click.option(flag, _parameter(flag), envvar=variable, help=shown, show_envvar=True)
            command = option(command)
        return command

    return add


def _about(form_field: FormField) -> str:
    """Say what a flag is for, vendor by vendor: those that share one describe it in their own terms."""
    told: dict[str, list[str]] = {}
    for provider in registry.all_providers():
        for words in (f.help for f in provider.form if f.flag == form_field.flag):
            told.setdefault(words, []).append(provider.slug)
    return "; ".join(f"{', '.join(slugs)}: {words}" for words, slugs in told.items()) or form_field.help


def _is_here(public_url: str) -> bool:
    return urlsplit(public_url).hostname in _HERE


def _parameter(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


def _provider(_ctx: click.Context, _parameter: click.Parameter, value: str) -> Provider:
    for provider in registry.all_providers():
        if value in {provider.name, provider.slug}:
            return provider
    known = ", ".join(provider.name for provider in registry.all_providers())
    raise click.BadParameter(f"unknown vendor {value!r}; known are {known}")


def _given(provider: Provider, options: dict[str, str | None]) -> dict[str, str]:
    """Name the options' values as the vendor's form does; a flag that it lacks keeps its name, to be refused."""
    own = {f.flag: f for f in (API_BASE_URL, *provider.form)}
    written = {flag: value for flag in _flags() if (value := options.get(_parameter(flag))) is not None}
    given = {own[flag].name: _asked(own[flag], value) for flag, value in written.items() if flag in own}
    return given | {flag: value for flag, value in written.items() if flag not in own and not _is_ambient(flag)}


def _is_ambient(flag: str) -> bool:
    """Say whether an option was not written but found in the environment, where it may be for another vendor."""
    return click.get_current_context().get_parameter_source(_parameter(flag)) is ParameterSource.ENVIRONMENT


def _asked(form_field: FormField, value: str) -> str:
    if form_field.secret and value == "-":
        return str(click.prompt(form_field.flag.lstrip("-"), hide_input=True))
    return value


@click.group()
def configs() -> None:
    """Accounts with vendors."""


@configs.command("add")
@click.option("--provider", required=True, callback=_provider, help=f"One of {', '.join(registry.by_names())}.")
@click.option("--name", help="What the team calls it.")
@_form_options()
@json_option
@data_option
def add_command(
    provider: Provider,
    name: str | None,
    as_json: bool,  # noqa: FBT001
    **options: str | None,
) -> None:
    """Add an account and print the webhook URL to give the vendor."""
    services = Services(settings(), application="cli")
    config = services.connecting.add(provider, _given(provider, options), name=name)
    if as_json:
        click.echo(as_text({"id": config.id, "webhookUrl": config.webhook_url}))
        return
    click.echo(f"account {config.id} added; give the vendor this webhook URL:\n  {url_to_give(config, provider)}")
    if provider.secret_parameter is not None:
        click.echo(f"for {GAP} put the webhook secret, percent-encoded; without it webhooks are answered 401")
    if _is_here(services.settings.public_url):
        click.echo(_UNREACHABLE, err=True)


@configs.command("list")
@json_option
@data_option
def list_command(as_json: bool) -> None:  # noqa: FBT001
    """List the accounts."""
    services = Services(settings(), application="cli")
    rows = []
    for config in services.configs.all():
        provider = registry.by_name(config.provider)
        if provider is not None:
            if not _is_here(services.settings.public_url):
                # The address may have changed since the account was added.
                config.webhook_url = webhook_url(services.settings.public_url, provider, config.id)
            shown = {} if as_json else {"webhookUrl": url_to_give(config, provider)}
            rows.append(described(config, provider) | shown)
    show(rows, columns=("id", "provider", "name", "isActive", "health", "lastEventAt", "webhookUrl"), as_json=as_json)


@configs.command("rotate")
@click.argument("config_id")
@_form_options(secret_only=True)
@data_option
def rotate_command(config_id: str, **options: str | None) -> None:
    """Exchange secrets of an account; the old ones stay valid for seven days."""
    services = Services(settings(), application="cli")
    config = services.configs.get(config_id)
    provider = registry.by_name(config.provider)
    if provider is None:
        raise click.ClickException(f"{config.provider} is not a vendor this version speaks")
    values = _given(provider, options)
    if not values:
        raise click.UsageError("name at least one secret to exchange")
    services.connecting.rotate(config_id, provider, values)
    click.echo(f"account {config_id}: {', '.join(sorted(values))} exchanged")
