"""Real stores for every test that needs one: started once a run on free ports, stopped with it."""

import faulthandler
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from pathlib import Path

import psycopg
import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key

from common.stores.postgres import Database
from common.stores.redis import Client, connect
from emulator import services
from migrations.__main__ import LOGINS, migrate, set_passwords
from tests.support.exclusive_runs import ExclusiveRuns
from tests.support.fixtures.redis_cluster import redis_cluster
from tests.support.processor_steal import ProcessorSteal
from tests.support.worker_groups import new_scheduler

PASSWORD = "test-only"
# No data has to survive this run. tests/emulator/test_services.py tests that the emulator's Postgres is durable.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
# Ten times faster than TRUNCATE, which creates new files for every table and index. As `replica`, foreign keys are not
# checked, so the order of the tables does not matter.
EMPTY_EVERY_TABLE = """
DO $$ DECLARE name text; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR name IN
    SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname IN ('common', 'user_service', 'event_service', 'reservation_service', 'payment_service')
  LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
END $$
"""
MUCH_STEAL = 0.1  # of the processors' time
STEAL = ProcessorSteal()
EXCLUSIVE_RUNS = pytest.StashKey[ExclusiveRuns | None]()
CLEAN_UP_SECONDS = 60  # after its timeout, in which a test may end its processes


def pytest_configure(config: pytest.Config) -> None:
    worker = hasattr(config, "workerinput")  # of pytest-xdist, whose workers have their folders side by side
    config.stash[EXCLUSIVE_RUNS] = ExclusiveRuns(Path(config.option.basetemp).parent) if worker else None
    if not worker:
        from infra.alarms import build_if_changed  # no worker needs it

        build_if_changed()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    return new_scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that measures time is repeated if other machines took much processor time."""
    repeat = pytest.mark.flaky(reruns=2, condition=lambda: STEAL.share() > MUCH_STEAL)
    for item in items:
        if measured := item.get_closest_marker("measures_time"):
            if not measured.kwargs.get("reason"):
                raise pytest.UsageError(f"{item.nodeid}: measures_time needs a reason")
            item.add_marker(repeat)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that measures time runs alone, and no test runs on long after its timeout.

    pytest-timeout fails a test once. If the test or a fixture's teardown then hangs, its process ends with a traceback.
    """
    alone = item.get_closest_marker("measures_time") is not None
    runs = item.config.stash[EXCLUSIVE_RUNS]
    with runs.run(alone=alone) if runs else nullcontext():
        _end_this_process_after(_timeout(item) + CLEAN_UP_SECONDS, item.config)
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(trylast=True)  # pytest's own hook has just cancelled the dump
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    if isinstance(node, pytest.Item):
        _end_this_process_after(CLEAN_UP_SECONDS, node.config)


def _end_this_process_after(seconds: float, config: pytest.Config) -> None:
    faulthandler.dump_traceback_later(seconds, exit=True, file=config.stash[fault_handler_stderr_fd_key])


def _timeout(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0] if marker else item.config.getini("timeout"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    STEAL.begin()


@pytest.fixture(scope="session")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def postgres_url(state_folder: Path) -> Iterator[str]:
    """The superuser's URL of a migrated database, which survives a crash of Postgres but not of the machine."""
    wanted = {"postgres": {"database": "ticketing", "settings": NOT_DURABLE}}
    with services.start(wanted, state_folder / "postgres-run") as running:
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
    """Each call connects to an empty Redis. The test runs on one node, and on a cluster of three."""
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
    """The database as its owner, to read what services wrote; every table is empty at the start."""
    database = Database(postgres_url)
    with database.transaction() as connection:
        connection.execute(EMPTY_EVERY_TABLE)
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
