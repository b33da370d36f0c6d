"""An HTTP server to which the suite's functions report their calls: it keeps every record under its key."""

import json
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class CallRecorder:
    """Listens on a free port of each of `hosts`. `close` it."""

    def __init__(self, hosts: list[str]) -> None:
        self._records: defaultdict[str, list[Any]] = defaultdict(list)
        self._changed = threading.Condition()
        self._servers = [ThreadingHTTPServer((host, 0), _handler(self._add)) for host in hosts]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, host: str) -> str:
        """For functions that reach this machine at `host`."""
        return next(f"http://{host}:{one.server_port}" for one in self._servers if one.server_address[0] == host)

    def records(self, key: str) -> list[Any]:
        """All of them so far, oldest first."""
        with self._changed:
            return list(self._records[key])

    def await_records(self, key: str, count: int, seconds: float) -> list[Any]:
        """As soon as there are `count`, or what there is after `seconds`."""
        end = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: len(self._records[key]) >= count, max(0.0, end - time.monotonic()))
            return list(self._records[key])

    def close(self) -> None:
        """Stops listening."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _add(self, key: str, record: Any) -> None:
        with self._changed:
            self._records[key].append(record)
            self._changed.notify_all()


def _handler(add: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            add(self.path.removeprefix("/"), json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing: the records are the log."""

    return Handler
