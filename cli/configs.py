"""`hookline configs`: the accounts with vendors.

The options of `add` and `rotate` are the vendors' own forms, so a new vendor needs nothing here. Deliberately
no secret is ever printed.
"""

import json
from collections.abc import Callable
from typing import Any, Final

import click

from cli.options import data_option, json_option, settings, show
from providers import registry
from providers.base import FormField, Provider
from services.connecting import described
from services.wiring import Services


#: A field that every vendor's account may have.
API_BASE_URL: Final = FormField("apiBaseUrl", "--api-base-url", help="Replaces the vendor's host (tests, proxies).")


def _forms(*, secret_only: bool = False) -> dict[str, FormField]:
    forms = [API_BASE_URL, *(f for provider in registry.all_providers() for f in provider.form)]
    fields = [f for f in forms if f.secret or not secret_only]
    return {f.flag: f for f in fields}


def _form_options(*, secret_only: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add one option per form field of any vendor; a secret may also come from the environment or a prompt (`-`)."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for flag, form_field in reversed(_forms(secret_only=secret_only).items()):
            shown = form_field.help + (" ('-' asks for it)" if form_field.secret else "")
            command = click.option(flag, form_field.name.lower(), default=None, help=shown, show_envvar=True)(command)
        return command

    return add


def _provider(_ctx: click.Context, _parameter: click.Parameter, value: str) -> Provider:
    for provider in registry.all_providers():
        if value in {provider.name, provider.slug}:
            return provider
    known = ", ".join(provider.name for provider in registry.all_providers())
    raise click.BadParameter(f"unknown vendor {value!r}; known are {known}")


def _given(options: dict[str, str | None], *, secret_only: bool = False) -> dict[str, str]:
    names = {f.name.lower(): f for f in _forms(secret_only=secret_only).values()}
    return {names[option].name: _asked(names[option], value) for option, value in options.items() if value is not None}


def _asked(form_field: FormField, value: str) -> str:
    if form_field.secret and value == "-":
        return str(click.prompt(form_field.flag.lstrip("-"), hide_input=True))
    return value


@click.group()
def configs() -> None:
    """Accounts with vendors."""


@configs.command("add")
@click.option("--provider", required=True, callback=_provider, help="meta-whatsapp, twilio, chatapi, …")
@click.option("--name", help="What the team calls it.")
@_form_options()
@json_option
@data_option
def add_command(
    provider: Provider, name: str | None, as_json: bool, **options: str | None  # noqa: FBT001
) -> None:
    """Add an account and print the webhook URL to give the vendor."""
    services = Services(settings(), application="cli")
    config = services.connecting.add(provider, _given(options), name=name)
    if as_json:
        click.echo(json.dumps({"id": config.id, "webhookUrl": config.webhook_url}))
        return
    click.echo(f"account {config.id} added; give the vendor this webhook URL:\n  {config.webhook_url}")


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
            rows.append(described(config, provider))
    show(rows, columns=("id", "provider", "name", "isActive", "health", "webhookUrl"), as_json=as_json)


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
    values = _given(options, secret_only=True)
    if not values:
        raise click.UsageError("name at least one secret to exchange")
    services.connecting.rotate(config_id, provider, values)
    click.echo(f"account {config_id}: {', '.join(sorted(values))} exchanged")
