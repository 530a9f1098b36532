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
    """Return every dialect, ordered by slug."""
    return tuple(sorted((*_discovered(), *_added), key=lambda provider: provider.slug))


def by_slugs() -> Mapping[str, Provider]:
    """Index the dialects by URL segment."""
    return {provider.slug: provider for provider in all_providers()}


def by_names() -> Mapping[str, Provider]:
    """Index the dialects by stored name."""
    return {provider.name: provider for provider in all_providers()}


def by_slug(slug: str) -> Provider | None:
    """Find a dialect by URL segment."""
    return by_slugs().get(slug)


def by_name(name: str) -> Provider | None:
    """Find a dialect by stored name."""
    return by_names().get(name)


def register(provider: Provider) -> None:
    """Add a dialect that lives elsewhere, e.g. in a plug-in or a test.

    Raises:
        ValueError: its URL segment or name is taken.
    """
    if by_slug(provider.slug) or by_name(provider.name):
        raise ValueError(f"a dialect called {provider.slug} or {provider.name} is there already")
    _added.append(provider)


def forget(provider: Provider) -> None:
    """Take back what `register` added."""
    _added.remove(provider)


@cache
def _discovered() -> tuple[Provider, ...]:
    names = (found.name for found in pkgutil.iter_modules(providers.__path__))
    modules = [importlib.import_module(f"providers.{name}") for name in names]
    found = (getattr(module, "PROVIDER", None) for module in modules)
    return tuple(provider for provider in found if isinstance(provider, Provider))
