"""The socket between the emulator and a function's process."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from emulator.function_side.boot import ERROR, EVENT, NEXT, REJECTED, RESULT, SocketRuntimeClient, frame


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, SocketRuntimeClient]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    client = SocketRuntimeClient()
    client.connect(theirs.fileno(), lambda: {"loaded": []})
    yield ours, client
    ours.close()
    theirs.close()


def event(number: int) -> bytes:
    headers = {"Lambda-Runtime-Aws-Request-Id": f"id-{number}", "Lambda-Runtime-Deadline-Ms": "1700000000000"}
    return frame(EVENT, json.dumps(headers).encode(), b'{"n": 1}')


def test_an_answer_is_sent_with_the_request_for_the_next_event(
    sockets: tuple[socket.socket, SocketRuntimeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("_thread._count", lambda: 0)  # the test's process has some
    ours, client = sockets
    ours.sendall(event(1))
    body, headers = client.next()
    assert (body, headers["Lambda-Runtime-Deadline-Ms"]) == (b'{"n": 1}', 1700000000000)
    assert ours.recv(100_000) == frame(NEXT, b'{"loaded": []}')
    client.post_invocation_result("id-1", b'"done"', "application/json")
    ours.settimeout(0.05)
    with pytest.raises(TimeoutError):
        ours.recv(1)
    ours.settimeout(5)
    ours.sendall(event(2))
    client.next()
    sent = frame(RESULT, b"id-1", b'"done"') + frame(NEXT)
    assert ours.recv(100_000)[: len(sent) - 8] == sent[:-8]  # of the second, its kind


def test_an_answer_is_sent_at_once_if_the_handler_left_a_thread_running(
    sockets: tuple[socket.socket, SocketRuntimeClient],
) -> None:
    ours, client = sockets
    over = threading.Event()
    left = threading.Thread(target=over.wait, args=(30,))
    left.start()
    try:
        client.post_error("id-1", '{"errorType": "E"}', "")
        assert ours.recv(100_000) == frame(ERROR, b"id-1", b'{"errorType": "E"}')
    finally:
        over.set()
        left.join(5)


def test_an_answer_that_was_rejected_ends_the_runtime(sockets: tuple[socket.socket, SocketRuntimeClient]) -> None:
    ours, client = sockets
    ours.sendall(frame(REJECTED, b"too large"))
    with pytest.raises(RuntimeError, match="too large"):
        client.next()
