from collections.abc import Iterator

import pytest

from functions.payments.adapters.clients.portone import portone_client
from tests.conftest import PASSWORD
from tools.simulation.fake_portone import SETTINGS, fake_portone
from tools.simulation.model.world import Stores, logins, quiet


@pytest.fixture
def stores(postgres_url: str, superuser: object, redis_url: str) -> Iterator[Stores]:
    with (
        fake_portone() as fake,
        portone_client("http://127.0.0.1:9", SETTINGS.portone_api_secret) as client,
        quiet(),
    ):
        yield Stores(logins(postgres_url, PASSWORD), postgres_url, redis_url, fake, client)
