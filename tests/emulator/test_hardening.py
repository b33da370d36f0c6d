"""Functions and clients that misbehave."""

import asyncio
import json
import shutil
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from emulator.emulator import Emulator, Settings
from emulator.runtime import InvokeResult, Limits
from emulator.stack import Stack, StackError
from emulator.template import load
from tests.emulator.live_emulator import LiveEmulator, wait_for

Emulate = Callable[..., LiveEmulator]


def act(live: LiveEmulator, function: str = "ActFunction", **actions: Any) -> InvokeResult:
    return live.invoke(function, json.dumps(actions).encode())


def begin(live: LiveEmulator, function: str = "ActFunction", **actions: Any) -> "Future[InvokeResult]":
    return live.begin(live.runtime.invoke(function, json.dumps(actions).encode()))


def document(result: InvokeResult) -> Any:
    return json.loads(result.payload)


def lines_of(live: LiveEmulator, result: InvokeResult) -> list[str]:
    return [line for _, request_id, line in list(live.lines) if request_id == result.request_id]


def variant(stack: Stack, name: str, **changes: Any) -> Stack:
    """The stack with one of its functions changed."""
    return replace(stack, functions={**stack.functions, name: replace(stack.functions[name], **changes)})


# -- memory


@pytest.mark.parametrize("action", ["allocate", "fork_and_allocate"])
def test_a_function_that_exceeds_its_memory_is_killed_with_lambdas_error(live: LiveEmulator, action: str) -> None:
    actions: dict[str, Any] = {action: 160}
    result = act(live, **actions)
    assert result.error == "Unhandled"
    assert document(result) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {result.request_id} Error: Runtime exited with error: signal: killed",
    }
    assert any("MemorySize is 128 MB" in line for line in lines_of(live, result))
    assert act(live, answer=1).payload == b"1"


def test_memory_that_parent_and_child_share_is_counted_once(live: LiveEmulator) -> None:
    result = act(live, fork_and_share=70)
    assert (result.error, document(result)) == (None, 70)


def test_a_function_within_its_memory_is_not_killed(live: LiveEmulator) -> None:
    result = act(live, sleep=0.6, answer="fine")
    assert document(result) == "fine"


# -- what a function may do to its process


def test_megabytes_of_output_are_logged_and_answered(live: LiveEmulator) -> None:
    result = act(live, write={"text": "0123456789\n", "times": 300_000}, answer="done")
    assert document(result) == "done"
    wait_for(lambda: len(lines_of(live, result)) >= 300_000, "all lines")


def test_a_very_long_line_is_cut_at_cloudwatchs_limit(live: LiveEmulator) -> None:
    result = act(live, write={"text": "x" * 1000, "times": 3000}, answer="done")
    assert document(result) == "done"
    wait_for(lambda: sum(map(len, lines_of(live, result))) == 3_000_000, "the whole line")
    assert max(map(len, lines_of(live, result))) == 262_144


def test_output_with_no_newline_belongs_to_the_invocation_that_wrote_it(live: LiveEmulator) -> None:
    first = act(live, write={"text": "no newline", "times": 1})
    second = act(live, write={"text": "none here either", "times": 1})
    wait_for(lambda: lines_of(live, first) == ["no newline"], "the first line")
    wait_for(lambda: lines_of(live, second) == ["none here either"], "the second line")


def test_output_that_is_not_text_is_logged_with_replacement_characters(live: LiveEmulator) -> None:
    result = act(live, bytes=[255, 254, 0, 10])
    wait_for(lambda: lines_of(live, result) == ["\ufffd\ufffd\0"], "the line")


@pytest.mark.parametrize(("action", "answer"), [("close_output", "silent"), ("close_stdout", "closed")])
def test_a_function_that_closes_its_output_still_answers(live: LiveEmulator, action: str, answer: str) -> None:
    actions: dict[str, Any] = {action: None}
    assert document(act(live, **actions)) == answer
    assert act(live, answer=1).payload == b"1"
    act(live, sys_exit=4)  # no other call should use this environment


def test_nan_is_passed_on_by_lambda_and_rejected_by_the_gateway(live: LiveEmulator) -> None:
    assert b"NaN" in act(live, nan=None).payload
    assert live.http.post("/act", json={"nan": None}).status_code == 502


def test_a_fork_that_answers_too_does_not_affect_other_functions(live: LiveEmulator) -> None:
    # From here on two processes share one connection to the Runtime API, and their messages may be interleaved. It ends
    # with their environment and affects no other function.
    act(live, fork_and_return=None)
    for number in range(5):
        act(live, answer=number)
        assert act(live, "ShortTimeoutFunction", answer=number).payload == str(number).encode()
    wait_for(lambda: act(live, answer="works").payload == b'"works"', "a working environment")
    act(live, sys_exit=4)  # no other call should use this environment


def test_sys_exit_is_an_exit_like_any_other(live: LiveEmulator) -> None:
    assert "exit status 4" in document(act(live, sys_exit=4))["errorMessage"]
    assert "without providing a reason" in document(act(live, sys_exit=0))["errorMessage"]


def test_threads_left_running_do_not_delay_anything(live: LiveEmulator) -> None:
    assert document(act(live, threads=20)) >= 20
    assert act(live, answer=1).payload == b"1"


def test_a_handler_that_its_module_does_not_have_is_lambdas_error(emulate: Emulate, stack: Stack) -> None:
    live = emulate(variant(stack, "ActFunction", handler="functions.sample.act.nothing"))
    result = document(act(live))
    assert result["errorType"] == "Runtime.HandlerNotFound"
    assert result["errorMessage"] == "Handler 'nothing' missing on module 'functions.sample.act'"


def test_temporary_files_belong_to_an_environment_survive_its_crash_and_are_deleted_with_it(emulate: Emulate) -> None:
    live = emulate()
    first = document(act(live, scratch="one"))
    busy = begin(live, sleep=0.6, scratch="other")
    wait_for(lambda: live.runtime.stats()["ActFunction"].in_flight, "the first call")
    second = document(act(live, scratch="two"))
    assert len({first["folder"], second["folder"]}) == 2
    assert document(busy.result())["before"] == "one"
    act(live, exit=3)
    act(live, exit=3)
    assert document(act(live, scratch="three"))["before"] in ("other", "two")
    live.close()
    assert not Path(first["folder"]).exists()


# -- SnapStart


def test_the_hooks_around_a_snapshot_run_in_their_order_once(live: LiveEmulator) -> None:
    for _ in range(2):
        seen = json.loads(live.http.get("/snap").text)
        assert seen == {
            "ran": ["init", "first before", "second before", "first after", "second after"],
            "type": "snap-start",
            "version": "1",
            "arn": "arn:aws:lambda:ap-northeast-2:000000000000:function:SnapFunction:live",
        }


@pytest.mark.parametrize("broken", ["first before", "second after"])
def test_the_error_of_a_hook_is_the_answer(emulate: Emulate, stack: Stack, broken: str) -> None:
    live = emulate(variant(stack, "SnapFunction", environment={"BREAK": broken}))
    result = live.invoke("SnapFunction")
    assert result.error == "Unhandled"
    assert (document(result)["errorType"], document(result)["errorMessage"]) == ("ValueError", f"{broken} failed")


def test_hooks_after_a_restore_have_their_own_limit(emulate: Emulate, stack: Stack) -> None:
    live = emulate(variant(stack, "SnapFunction", environment={"BREAK": "slow"}), limits=Limits(restore=0.3))
    assert document(live.invoke("SnapFunction"))["errorType"] == "Lambda.SnapStartTimeoutException"
    assert live.runtime.stats()["SnapFunction"].environments == 0


# -- a debugger


def test_a_debugged_function_waits_for_its_debugger_and_has_no_time_limit(
    emulate: Emulate, stack: Stack, tmp_path: Path
) -> None:
    original = stack.functions["ShortTimeoutFunction"]
    shutil.copytree(original.code / "functions", tmp_path / "functions")
    (tmp_path / "debugpy.py").write_text(
        "from pathlib import Path\n"
        f"def listen(address): Path({str(tmp_path / 'seen')!r}).write_text(str(address))\n"
        "def wait_for_client(): pass\n"
    )
    live = emulate(variant(stack, "ShortTimeoutFunction", code=tmp_path), debug={"ShortTimeoutFunction": 5678})
    assert document(act(live, "ShortTimeoutFunction", sleep=1.3, answer="late")) == "late"
    assert (tmp_path / "seen").read_text() == "('127.0.0.1', 5678)"


def test_a_function_that_cannot_be_debugged_is_reported_at_the_start(emulate: Emulate) -> None:
    with pytest.raises(StackError, match="NoSuchFunction cannot be debugged"):
        emulate(debug={"NoSuchFunction": 5678})


# -- many functions


@pytest.mark.measures_time(reason="500 functions are ready within 2 s")
def test_five_hundred_idle_functions_need_no_process_and_little_memory(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return event\n")
    head = "Transform: AWS::Serverless-2016-10-31\nResources:\n"
    function = "  F{}: {{Type: AWS::Serverless::Function, Properties: {{Runtime: python3.13, Handler: app.handler}}}}\n"
    (tmp_path / "template.yaml").write_text(head + "".join(function.format(number) for number in range(500)))
    load(tmp_path / "template.yaml", cache=tmp_path)  # translated once, cached from then on
    this = psutil.Process()

    async def run() -> tuple[float, int, int]:
        memory, began = this.memory_info().rss, time.monotonic()
        stack = load(tmp_path / "template.yaml", cache=tmp_path)
        emulator = await Emulator.start(stack, Settings(state=tmp_path, gateway_port=0, invoke_port=0))
        took = time.monotonic() - began
        processes = len(this.children(recursive=True))
        assert (await emulator.runtime.invoke("F499", b"7")).payload == b"7"
        grown = this.memory_info().rss - memory
        await emulator.close()
        return took, processes, grown

    before = len(this.children(recursive=True))
    took, processes, grown = asyncio.run(run())
    assert processes == before
    assert took < 2
    assert grown < 30 * 1024 * 1024


# -- clients


def test_a_client_that_disconnects_mid_body_does_not_affect_others(live: LiveEmulator) -> None:
    before = live.runtime.stats()["ActFunction"].invocations
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", live.http.base_url.port or 0)) as connection:
            connection.sendall(b"POST /act HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert live.http.post("/act", json={"answer": {"statusCode": 200}}).status_code == 200
    assert live.runtime.stats()["ActFunction"].invocations == before + 1


def test_a_client_that_does_not_wait_for_its_answer_does_not_stop_the_function(live: LiveEmulator) -> None:
    before = live.runtime.stats()["ActFunction"].invocations
    with socket.create_connection(("127.0.0.1", live.http.base_url.port or 0)) as connection:
        body = b'{"sleep": 0.3}'
        connection.sendall(b"POST /act HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        wait_for(lambda: live.runtime.stats()["ActFunction"].in_flight, "the call")
    wait_for(lambda: live.runtime.stats()["ActFunction"].invocations == before + 1, "the function to end by itself")


def test_a_body_that_arrives_byte_by_byte_is_read_completely(live: LiveEmulator) -> None:
    body = b'{"answer": {"statusCode": 200, "body": "patient"}}'
    with socket.create_connection(("127.0.0.1", live.http.base_url.port or 0)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = b"POST /act HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.sendall(head)
        for at in range(len(body)):
            connection.sendall(body[at : at + 1])
            time.sleep(0.005)
        received = b""
        while data := connection.recv(65536):
            received += data
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(b"patient")


@pytest.mark.parametrize("header", [("X-Long", "x" * 10_300), ("X-Long", "x" * 60_000)])
def test_a_header_over_the_limit_is_rejected(live: LiveEmulator, header: tuple[str, str]) -> None:
    response = live.http.get("/echo", headers=[header])
    assert response.status_code in (400, 431)
    assert "python" not in response.text.lower() + str(response.headers).lower()
    assert live.http.get("/echo", headers={"X-Long": "x" * 9_000}).status_code == 200


def test_many_small_headers_add_up(live: LiveEmulator) -> None:
    response = live.http.get("/echo", headers=[(f"X-{number}", "x" * 100) for number in range(120)])
    assert (response.status_code, response.text) == (431, "HTTP header is larger than 10240 bytes.")


def test_ten_megabytes_are_read_and_a_byte_more_is_not(live: LiveEmulator) -> None:
    assert live.http.post("/act", content=b"x" * 10 * 1024 * 1024).status_code == 413  # over what Lambda takes
    response = live.http.post("/act", content=iter([b"x" * 1024 * 1024] * 10 + [b"x"]))
    assert (response.status_code, response.text) == (413, "HTTP content length exceeded 10485760 bytes.")


def test_no_response_names_the_server(live: LiveEmulator) -> None:
    for response in (live.http.get("/echo"), live.http.get("/nowhere"), live.http.options("/uncached/1")):
        assert "server" not in response.headers
    assert "server" not in httpx.get(f"{live.emulator.invoke_url}/nothing").headers
