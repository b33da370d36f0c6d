"""Real stores for every test that needs one: started once a run on free ports, stopped with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from common.postgres import Database
from common.redis import Client, connect
from emulator import services
from migrations.__main__ import LOGINS, migrate, set_passwords
from tests.redis_cluster import redis_cluster
from tests.stolen_time import StolenTime

PASSWORD = "test-only"
STOLEN_MUCH = 0.1  # of the processors' time
STOLEN = StolenTime()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who failed while others had much of the machine may try twice more; the summary names him as RERUN."""
    again = pytest.mark.flaky(reruns=2, condition=lambda: STOLEN.share() > STOLEN_MUCH)
    for item in items:
        item.add_marker(again)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    STOLEN.begin()


@pytest.fixture(scope="session")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def postgres_url(state_folder: Path) -> Iterator[str]:
    """The superuser's URL of a migrated database."""
    with services.start({"postgres": {"database": "ticketing"}}, state_folder / "postgres-run") as running:
        migrate(running.postgres)
        set_passwords(running.postgres, dict.fromkeys(LOGINS, PASSWORD))
        yield running.postgres


@pytest.fixture(scope="session")
def redis_url(state_folder: Path) -> Iterator[str]:
    with services.start({"redis": {}}, state_folder / "redis-run") as running:
        yield running.redis


@pytest.fixture(scope="session")
def kafka_servers(state_folder: Path) -> Iterator[list[str]]:
    topics = dict.fromkeys(
        ("payment.events", "reservation.events", "event.events", "dlq.payment", "dlq.reservation"), 2
    )
    with services.start({"kafka": {"topics": topics}}, state_folder / "kafka-run") as running:
        yield running.kafka


@pytest.fixture
def redis(redis_url: str) -> Iterator[Client]:
    """An empty Redis."""
    client = connect(redis_url, cluster=False)
    client.flushall()
    yield client
    client.close()


@pytest.fixture(scope="session")
def redis_cluster_url(state_folder: Path) -> Iterator[str]:
    with redis_cluster(state_folder / "redis-cluster") as url:
        yield url


@pytest.fixture(params=["node", "cluster"])
def any_redis(request: pytest.FixtureRequest) -> Iterator[Callable[[], Client]]:
    """Connects to an empty Redis, as often as called; the test runs on one node, and on a cluster of three."""
    cluster = request.param == "cluster"
    url = request.getfixturevalue("redis_cluster_url" if cluster else "redis_url")
    made: list[Client] = []

    def new_client() -> Client:
        made.append(connect(url, cluster=cluster))
        return made[-1]

    new_client().flushall()
    yield new_client
    for client in made:
        client.close()


@pytest.fixture
def superuser(postgres_url: str) -> Iterator[Database]:
    """The database as its owner, for looking at what services did; every table is empty at the start."""
    database = Database(postgres_url)
    with database.transaction() as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname IN ('common', 'user_service', 'event_service', 'reservation_service', 'payment_service')"
        ).fetchall()
        connection.execute(
            sql.SQL("TRUNCATE {}").format(
                sql.SQL(", ").join(sql.Identifier(table["schemaname"], table["tablename"]) for table in tables)
            )
        )
    yield database
    database.close()


@pytest.fixture
def database_of(postgres_url: str, superuser: Database) -> Iterator[Callable[[str], Database]]:
    """`database_of("event_service")`: a new connection under a service's own login, over empty tables."""
    made: list[Database] = []

    def login(user: str) -> Database:
        made.append(Database(psycopg.conninfo.make_conninfo(postgres_url, user=user, password=PASSWORD)))
        return made[-1]

    yield login
    for database in made:
        database.close()
