"""Old outbox rows are deleted in small batches, also by concurrent runs; unpublished ones never."""

from collections.abc import Callable
from functools import partial

from common.stores.postgres import Database
from functions.outbox_relay.adapters.retention_repository import RetentionRepository
from functions.outbox_relay.usecases.prune_outbox import PruneOutbox
from tests.support.concurrently import concurrently

CONTINUE = lambda: True  # noqa: E731


def fill(superuser: Database, rows: int, *, published_days_ago: float | None, created_days_ago: float = 90) -> None:
    with superuser.transaction() as connection:
        connection.execute(
            """
            INSERT INTO common.outbox_events (message_id, topic, partition_key, shard, aggregate_type, event_type,
                                              payload, created_at, published_at)
            SELECT gen_random_uuid(), 'reservation.events', 'k', 0, 'Reservation', 'ReservationConfirmed', '{}',
                   now() - make_interval(secs => %s * 86400), now() - make_interval(secs => %s * 86400)
              FROM generate_series(1, %s)
            """,
            (created_days_ago, published_days_ago, rows),
        )


def fill_processed(superuser: Database, rows: int, days_ago: float) -> None:
    with superuser.transaction() as connection:
        connection.execute(
            """
            INSERT INTO common.processed_events (consumer, message_id, processed_at)
            SELECT 'events', gen_random_uuid(), now() - make_interval(secs => %s * 86400) FROM generate_series(1, %s)
            """,
            (days_ago, rows),
        )


def left(superuser: Database, table: str) -> int:
    return len(superuser.rows(f"SELECT FROM common.{table}"))


def test_messages_are_deleted_seven_days_after_publication_and_processed_events_after_thirty(
    superuser: Database, database_of: Callable[[str], Database]
) -> None:
    fill(superuser, 12, published_days_ago=7.01)
    fill(superuser, 3, published_days_ago=6.99)
    fill_processed(superuser, 9, days_ago=30.01)
    fill_processed(superuser, 4, days_ago=29.99)
    deleted = PruneOutbox(RetentionRepository(database_of("relay")), batch=5).prune(CONTINUE)
    assert deleted == {"common.outbox_events": 12, "common.processed_events": 9, "common.failed_attempts": 0}
    assert (left(superuser, "outbox_events"), left(superuser, "processed_events")) == (3, 4)


def test_rows_of_dead_letters_and_redriven_rows_are_kept_for_thirty_days(
    superuser: Database, database_of: Callable[[str], Database]
) -> None:
    fill(superuser, 3, published_days_ago=30.01)
    fill(superuser, 3, published_days_ago=29.99)
    with superuser.transaction() as connection:
        connection.execute("UPDATE common.outbox_events SET origin = 'redrive/' || id WHERE id %% 3 = 0", ())
        connection.execute(
            "UPDATE common.outbox_events SET headers = jsonb_build_object('outbox_id', id) WHERE id %% 3 = 1", ()
        )
    deleted = PruneOutbox(RetentionRepository(database_of("relay")), batch=1).prune(CONTINUE)
    assert deleted["common.outbox_events"] == 4
    kept = superuser.rows(
        "SELECT origin, headers, published_at < now() - interval '30 days' AS old FROM common.outbox_events"
    )
    assert [row["old"] for row in kept] == [False, False]
    assert all(row["origin"] or row["headers"] for row in kept)


def test_an_unpublished_message_is_kept_at_any_age(superuser: Database, database_of: Callable[[str], Database]) -> None:
    fill(superuser, 2, published_days_ago=None, created_days_ago=365)
    PruneOutbox(RetentionRepository(database_of("relay"))).prune(CONTINUE)
    assert left(superuser, "outbox_events") == 2


def test_a_run_stops_between_batches_and_the_next_run_continues(
    superuser: Database, database_of: Callable[[str], Database]
) -> None:
    fill(superuser, 25, published_days_ago=8)
    allowed = iter([True, True])
    retention = PruneOutbox(RetentionRepository(database_of("relay")), batch=10)
    assert retention.prune(lambda: next(allowed, False))["common.outbox_events"] == 20
    assert retention.prune(CONTINUE)["common.outbox_events"] == 5


def test_concurrent_runs_delete_every_row_once(superuser: Database, database_of: Callable[[str], Database]) -> None:
    fill(superuser, 200, published_days_ago=8)
    runs = [partial(PruneOutbox(RetentionRepository(database_of("relay")), batch=7).prune, CONTINUE) for _ in range(4)]
    outcomes = concurrently(runs)
    assert [each for each in outcomes if isinstance(each, Exception)] == []
    assert sum(each["common.outbox_events"] for each in outcomes if not isinstance(each, Exception)) == 200
    assert left(superuser, "outbox_events") == 0
