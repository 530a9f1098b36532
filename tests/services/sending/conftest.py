"""A desk whose account sends to a vendor that keeps books."""

from collections.abc import Iterator

import pytest
import redis

from tests.support.sending import Desk
from tests.support.vendor import Vendor
from tests.support.wired import Wired


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """Yield a vendor that takes everything until told otherwise."""
    started = Vendor()
    yield started
    started.close()


@pytest.fixture
def desk(wired: Wired, vendor: Vendor, redis_client: redis.Redis) -> Iterator[Desk]:
    """Yield a desk with one account."""
    wired.configs.change(wired.account.id, {"api_base_url": vendor.url}, wired.clock)
    wired.directory.refresh(older_than=0)
    yield Desk(wired, vendor, redis_client)
    wired.outgoing.close()
    wired.broker.close()
