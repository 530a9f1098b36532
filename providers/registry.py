"""The dialects we speak: every module of this folder that ends in `PROVIDER = …`.

Adding a vendor is adding a file; nothing is listed by hand. Deliberately no I/O beyond importing.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

import providers
from providers.base import Provider

_added: list[Provider] = []


def all_providers() -> tuple[Provider, ...]:
    """Every dialect, by slug."""
    return tuple(sorted((*_discovered(), *_added), key=lambda provider: provider.slug))


def by_slugs() -> Mapping[str, Provider]:
    """The dialects by URL segment."""
    return {provider.slug: provider for provider in all_providers()}


def by_names() -> Mapping[str, Provider]:
    """The dialects by stored name."""
    return {provider.name: provider for provider in all_providers()}


def by_slug(slug: str) -> Provider | None:
    """Find a dialect by URL segment."""
    return by_slugs().get(slug)


def by_name(name: str) -> Provider | None:
    """Find a dialect by stored name."""
    return by_names().get(name)


def register(provider: Provider) -> None:
    """Add a dialect that lives elsewhere, e.g. in a plug-in or a test."""
    _added.append(provider)


@cache
def _discovered() -> tuple[Provider, ...]:
    modules = (importlib.import_module(f"providers.{found.name}") for found in pkgutil.iter_modules(providers.__path__))
    return tuple(module.PROVIDER for module in modules if isinstance(getattr(module, "PROVIDER", None), Provider))
