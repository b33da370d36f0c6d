"""A Postgres connection for one execution environment. Nothing here pins RDS Proxy's connection."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from common.domain.shared_errors import StoreUnavailable

# What psycopg raises while Postgres cannot serve us. It counts the last three among other errors, by the first two
# letters of their codes.
_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.errors.IdleInTransactionSessionTimeout,  # we were too slow: everything is rolled back
    psycopg.errors.TransactionTimeout,
    psycopg.errors.ReadOnlySqlTransaction,  # the writer of a moment ago is a replica now: a failover
)

CONNECT_SECONDS = 3

Connection = psycopg.Connection[dict[str, Any]]
Row = dict[str, Any]
Parameters = Mapping[str, Any] | Sequence[Any] | None


class Database:
    """Statements and transactions on one connection, which is replaced when it is found broken.

    `password` is called for each connection: the password may have been rotated, or be valid for minutes only.
    """

    def __init__(self, conninfo: str, password: Callable[[], str] | None = None) -> None:
        self._conninfo = conninfo
        self._password = password
        self._connection: Connection | None = None

    def _connect(self) -> Connection:
        connection = self._connection
        if connection is None or connection.closed:
            connection = self._connection = psycopg.connect(
                self._conninfo,
                password=self._password() if self._password else None,
                autocommit=True,
                # Otherwise a rollback sends DEALLOCATE ALL, which pins the proxy's connection.
                prepare_threshold=None,
                row_factory=dict_row,
            )
        return connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that commits on leaving and rolls back on any exception. Raises StoreUnavailable.

        BEGIN also checks the connection: one that broke while the environment was frozen fails there, before anything
        was done, and is replaced once.
        """
        with _store_unavailable():
            connection = self._begin()
            yield from self._until_committed(connection)

    def _begin(self) -> Connection:
        connection = self._connect()
        try:
            connection.execute("BEGIN")
        except psycopg.OperationalError:
            self.close()
            connection = self._connect()
            connection.execute("BEGIN")
        return connection

    def _until_committed(self, connection: Connection) -> Iterator[Connection]:
        try:
            yield connection
        except psycopg.errors.ReadOnlySqlTransaction:
            self.close()  # this server takes no writes any more: the next connection is to the new writer
            raise
        except BaseException:
            self._roll_back(connection)
            raise
        try:
            connection.execute("COMMIT")
        except BaseException:
            # Whether it committed is unknown; the connection must not be used again.
            self.close()
            raise

    def _roll_back(self, connection: Connection) -> None:
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            self.close()

    def rows(self, sql: str, parameters: Parameters = None) -> list[Row]:
        """Read in one round trip. On a broken connection the read, and only a read, is retried once. Raises
        StoreUnavailable."""
        with _store_unavailable():
            try:
                return self._connect().execute(sql, parameters).fetchall()
            except psycopg.OperationalError:
                self.close()
                return self._connect().execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = None) -> Row | None:
        found = self.rows(sql, parameters)
        return found[0] if found else None


@contextmanager
def _store_unavailable() -> Iterator[None]:
    try:
        yield
    except _UNAVAILABLE as error:
        raise StoreUnavailable(f"Postgres: {error}") from error
