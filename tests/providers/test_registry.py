"""The registry: dialects are found by being there, and can be lent from elsewhere."""

from collections.abc import Iterator

import pytest

from providers import registry
from providers.base import Provider
from providers.meta import PROVIDER, Meta


class Lent(Meta):
    slug = "lent"
    name = "lent-whatsapp"


@pytest.fixture
def lent() -> Iterator[Provider]:
    provider = Lent()
    registry.register(provider)
    yield provider
    registry.forget(provider)


def test_a_dialect_of_the_folder_is_found_by_slug_and_by_name() -> None:
    assert registry.by_slug("meta") is registry.by_name("meta-whatsapp") is PROVIDER
    assert PROVIDER in registry.all_providers()


def test_an_unknown_dialect_is_none() -> None:
    assert registry.by_slug("acme") is None
    assert registry.by_name("meta") is None


def test_a_dialect_from_elsewhere_is_as_good_as_ours_until_it_is_taken_back(lent: Provider) -> None:
    assert registry.by_slugs()["lent"] is registry.by_names()["lent-whatsapp"] is lent
    assert lent in registry.all_providers()
    registry.forget(lent)
    assert registry.by_slug("lent") is None
    registry.register(lent)


def test_two_dialects_never_share_a_name(lent: Provider) -> None:
    with pytest.raises(ValueError, match="lent"):
        registry.register(Lent())


def test_slugs_and_names_are_unique_and_ordered() -> None:
    slugs = [provider.slug for provider in registry.all_providers()]
    assert slugs == sorted(set(slugs))
    assert len(registry.by_names()) == len(slugs)
