"""Runs a function: AWS's own runtime client, connected to the emulator."""

import sys

TYPE_CHECKING = False  # importing typing would add a module to the function's process
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

EVENT, REJECTED = b"V", b"X"  # from the emulator
NEXT, RESULT, ERROR = b"N", b"R", b"E"  # to the emulator
_HEADER = 9  # bytes: the kind, then the lengths of head and body, four bytes each


def frame(kind: bytes, head: bytes = b"", body: bytes = b"") -> bytes:
    """One message on the socket between the emulator and a function's process."""
    return b"".join((kind, len(head).to_bytes(4, "big"), len(body).to_bytes(4, "big"), head, body))


class SocketRuntimeClient:
    """Replaces awslambdaric's C extension `runtime_client`: a Unix socket instead of HTTP.

    A response is sent together with the request for the next event, in one write.
    """

    def __init__(self) -> None:
        self._descriptor = -1
        self._describe: Callable[[], dict[str, Any]] = dict
        self._modules = 0  # how many were loaded when they were last described
        self._unsent = b""

    def connect(self, descriptor: int, describe: "Callable[[], dict[str, Any]]") -> None:
        """The result of `describe` is sent with a request for an event if modules were loaded since the last one."""
        self._descriptor = descriptor
        self._describe = describe

    def install(self) -> None:
        """Makes `import runtime_client` return it."""
        sys.modules["runtime_client"] = self  # type: ignore[assignment]

    def initialize_client(self, _user_agent: str) -> None:
        """Does nothing: there is no HTTP client."""

    def next(self) -> "tuple[bytes, dict[str, Any]]":
        """Waits for the next event and returns it with its headers."""
        import json

        head = b""
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            head = json.dumps(self._describe()).encode()
        unsent, self._unsent = self._unsent, b""
        self._write(unsent + frame(NEXT, head))
        header = self._read(_HEADER)
        head = self._read(int.from_bytes(header[1:5], "big"))
        body = self._read(int.from_bytes(header[5:9], "big"))
        if header[:1] == REJECTED:
            raise RuntimeError(head.decode())
        headers = json.loads(head)
        headers["Lambda-Runtime-Deadline-Ms"] = int(headers["Lambda-Runtime-Deadline-Ms"])
        return body, headers

    def post_invocation_result(
        self, invoke_id: str, data: bytes, _content_type: str, _invocation: "Any" = None
    ) -> None:
        """Sends the event's result."""
        self._send_later(frame(RESULT, invoke_id.encode(), data))

    def post_error(self, invoke_id: str, data: str, _xray_fault: str, _invocation: "Any" = None) -> None:
        """Sends an error document as the event's result."""
        self._send_later(frame(ERROR, invoke_id.encode(), data.encode()))

    def _send_later(self, message: bytes) -> None:
        import _thread

        if _thread._count():  # another thread may delay the request for the next event
            self._write(message)
        else:
            self._unsent = message

    def _write(self, message: bytes) -> None:
        import os

        left = memoryview(message)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def _read(self, size: int) -> bytes:
        import os

        parts = []
        while size:
            part = os.read(self._descriptor, min(size, 1 << 20))
            if not part:
                os._exit(0)  # the emulator has ended
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


client = SocketRuntimeClient()


def loaded_packages(known: "set[str] | frozenset[str]") -> list[str]:
    """Modules that are not `known`, in the order of their import, without those in the function's own folder."""
    import os

    code = os.environ["LAMBDA_TASK_ROOT"]
    folders = {entry + os.sep for entry in sys.path if entry and entry != code}
    found = []
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        if name in known or not origin:
            continue
        of_code = len(code) if origin.startswith(code + os.sep) else 0
        if not os.path.isabs(origin) or max((len(f) for f in folders if origin.startswith(f)), default=0) > of_code:
            found.append(name)
    return found


def run(
    handler: str,
    descriptor: int | None,
    debug_port: int | None = None,
    describe: "Callable[[], dict[str, Any]] | None" = None,
) -> None:
    """Loads the handler and serves events until the process ends.

    `descriptor` is the socket to the emulator; None means the Runtime API over HTTP, as on Lambda.
    """
    import os

    known = frozenset(sys.modules)
    sys.argv[:] = ["-c", handler]
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    if debug_port is not None:
        try:
            import debugpy  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            sys.exit("debugging needs debugpy: pip install debugpy")
        debugpy.listen(("127.0.0.1", debug_port))
        print(f"waiting for a debugger on 127.0.0.1:{debug_port}", flush=True)
        debugpy.wait_for_client()
    if descriptor is not None:
        os.set_inheritable(descriptor, False)
        client.connect(descriptor, describe or (lambda: {"loaded": loaded_packages(known)}))
        client.install()
    from awslambdaric import bootstrap
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

    # The main thread requests events. With AWS_EXECUTION_ENV of Python 3.12 and later, awslambdaric would start a
    # thread for each event, so that the main thread can handle signals; none are sent here, and a thread doubles the
    # cost.
    bootstrap.run(handler, LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"], False))


def main(arguments: list[str]) -> None:
    """Arguments: HANDLER DESCRIPTOR DEBUG_PORT; "-" means none."""
    handler, descriptor, debug_port = arguments
    run(handler, None if descriptor == "-" else int(descriptor), None if debug_port == "-" else int(debug_port))
