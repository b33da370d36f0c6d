import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from emulator.environment import process_variables
from emulator.runtime import FunctionNotFound, InvokeResult, Limits, PayloadTooLarge, Throttled
from emulator.stack import Stack
from tests.emulator.live_emulator import LiveEmulator, has_ended, wait_for
from tests.support.child_process import Child

Emulate = Callable[..., LiveEmulator]


def act(live: LiveEmulator, function: str = "ActFunction", **actions: Any) -> InvokeResult:
    return live.invoke(function, json.dumps(actions).encode())


def begin(live: LiveEmulator, function: str = "ActFunction", **actions: Any) -> "Future[InvokeResult]":
    return live.begin(live.runtime.invoke(function, json.dumps(actions).encode()))


def about(live: LiveEmulator, **options: Any) -> Any:
    return json.loads(live.invoke("ActFunction", b'{"self": null}', **options).payload)


def in_flight(live: LiveEmulator, function: str) -> int:
    return live.runtime.stats()[function].in_flight


def test_a_function_gets_its_event_and_its_answer_is_returned(live: LiveEmulator) -> None:
    result = act(live, answer={"seat": "A-1-1"})
    assert (json.loads(result.payload), result.error) == ({"seat": "A-1-1"}, None)


@pytest.mark.parametrize(
    ("prefix", "turned_off", "writable", "kept"),
    [
        (None, False, True, None),  # where Python puts it
        (None, True, True, "state/bytecode"),
        (None, False, False, "state/bytecode"),
        ("/elsewhere", True, True, "/elsewhere"),
    ],
)
def test_bytecode_is_in_the_state_folder_if_it_cannot_be_beside_the_code(
    live: LiveEmulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    prefix: str | None,
    turned_off: bool,
    writable: bool,
    kept: str | None,
) -> None:
    monkeypatch.setattr("sys.pycache_prefix", prefix)
    monkeypatch.setattr("sys.dont_write_bytecode", turned_off)
    monkeypatch.setattr("os.access", lambda path, mode: writable)
    launch = replace(live.runtime._launch, state=Path("state"))
    variables = process_variables(live.runtime.function("ActFunction"), launch, 1, tmp_path)
    assert variables.get("PYTHONPYCACHEPREFIX") == kept


def test_the_process_sees_lambdas_variables_and_none_of_the_hosts(
    emulate: Emulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVELOPERS_SECRET", "hunter2")
    live = emulate(environment={"EXTRA": "from the caller"})
    seen = about(live)["environment"]
    assert "DEVELOPERS_SECRET" not in seen
    assert seen["EXTRA"] == "from the caller"
    assert seen["GREETING"] == "hello from ap-northeast-2"
    assert seen["AWS_ENDPOINT_URL_LAMBDA"] == live.emulator.invoke_url
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "act-by-name"
    assert seen["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == "ap-northeast-2"
    assert seen["_HANDLER"] == "functions.sample.act.handler"
    assert seen["TZ"] == ":UTC"
    assert seen["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert Path(seen["HOME"]) != Path.home()


def test_the_code_comes_first_on_the_path_and_the_layers_next(live: LiveEmulator, stack: Stack) -> None:
    function = stack.functions["ActFunction"]
    seen = about(live)
    path = list(dict.fromkeys(seen["path"]))
    assert path[:2] == [str(function.code), str(function.layers[0])]
    assert (seen["cwd"], seen["shared"]) == (str(function.code), "the shared layer")


def test_the_context_is_lambdas(live: LiveEmulator) -> None:
    seen = about(live, request_id="5f0f0000-0000-4000-8000-000000000000", client_context='{"custom": {"a": "b"}}')
    context = seen["context"]
    assert 0 < context.pop("left") <= 5000
    assert context == {
        "name": "act-by-name",
        "arn": "arn:aws:lambda:ap-northeast-2:000000000000:function:act-by-name",
        "memory": "128",
        "request": "5f0f0000-0000-4000-8000-000000000000",
        "client": {"a": "b"},
    }


def test_a_warm_environment_is_used_again(live: LiveEmulator) -> None:
    assert about(live)["pid"] == about(live)["pid"]


def test_a_busy_function_gets_a_second_environment(emulate: Emulate) -> None:
    live = emulate()
    first = begin(live, sleep=0.5, self=None)
    wait_for(lambda: in_flight(live, "ActFunction"), "the first call")
    second = begin(live, self=None)
    assert json.loads(first.result().payload)["pid"] != json.loads(second.result().payload)["pid"]


def test_an_exception_is_answered_as_lambda_does_and_the_environment_is_kept(live: LiveEmulator) -> None:
    before = about(live)["pid"]
    result = act(live, fail="no seats")
    document = json.loads(result.payload)
    assert result.error == "Unhandled"
    assert (document["errorType"], document["errorMessage"]) == ("RuntimeError", "no seats")
    assert document["requestId"] == result.request_id
    assert any("in _fail" in frame for frame in document["stackTrace"])
    assert about(live)["pid"] == before


def test_an_answer_that_is_not_json_is_a_marshal_error(live: LiveEmulator) -> None:
    assert json.loads(act(live, object=None).payload)["errorType"] == "Runtime.MarshalError"


def test_a_function_that_exceeds_its_timeout_is_killed_with_lambdas_error(live: LiveEmulator) -> None:
    warm = json.loads(act(live, "ShortTimeoutFunction", self=None).payload)["pid"]
    result = act(live, "ShortTimeoutFunction", sleep=60)
    assert result.error == "Unhandled"
    assert json.loads(result.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {result.request_id} Error: Task timed out after 1.00 seconds",
    }
    wait_for(lambda: has_ended(warm), "the process to be killed")
    assert json.loads(act(live, "ShortTimeoutFunction", self=None).payload)["pid"] != warm


def test_a_timeout_also_kills_processes_that_the_function_started(live: LiveEmulator, tmp_path: Path) -> None:
    act(live, "ShortTimeoutFunction", grandchild=str(tmp_path / "pid"), sleep=60)
    grandchild = int((tmp_path / "pid").read_text())
    wait_for(lambda: has_ended(grandchild), "the grandchild to be killed")


@pytest.mark.parametrize(
    ("actions", "reason"),
    [
        ({"exit": 3}, "Runtime exited with error: exit status 3"),
        ({"exit": 0}, "Runtime exited without providing a reason"),
        ({"kill": None}, "Runtime exited with error: signal: killed"),
    ],
)
def test_a_crash_is_answered_like_lambda_and_the_next_call_gets_a_new_environment(
    live: LiveEmulator, actions: dict[str, Any], reason: str
) -> None:
    result = act(live, **actions)
    assert json.loads(result.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {result.request_id} Error: {reason}",
    }
    assert act(live, answer=1).payload == b"1"


def test_an_environment_that_crashed_while_idle_is_replaced(live: LiveEmulator) -> None:
    pid = about(live)["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: has_ended(pid), "the process to end")
    assert act(live, answer=1).payload == b"1"


def test_an_error_at_import_is_the_answer_and_every_call_retries_the_import(live: LiveEmulator) -> None:
    before = live.runtime.stats()["BrokenFunction"].cold_starts
    for _ in range(2):
        result = live.invoke("BrokenFunction")
        document = json.loads(result.payload)
        assert result.error == "Unhandled"
        assert (document["errorType"], document["errorMessage"]) == ("LookupError", "no configuration")
    stats = live.runtime.stats()["BrokenFunction"]
    assert (stats.cold_starts - before, stats.environments) == (2, 0)


def test_a_process_that_ends_before_it_is_ready_is_an_exit_error(live: LiveEmulator) -> None:
    result = live.invoke("ExitingFunction")
    message = f"RequestId: {result.request_id} Error: Runtime exited with error: exit status 7"
    assert json.loads(result.payload) == {"errorType": "Runtime.ExitError", "errorMessage": message}


def test_an_init_over_its_limit_is_tried_once_more_under_the_functions_own_timeout(emulate: Emulate) -> None:
    live = emulate(limits=Limits(init=0.5))
    result = live.invoke("SlowImportFunction")
    assert json.loads(result.payload)["errorType"] == "Sandbox.Timedout"
    assert "after 1.00 seconds" in json.loads(result.payload)["errorMessage"]
    stats = live.runtime.stats()["SlowImportFunction"]
    assert (stats.cold_starts, stats.environments) == (2, 0)


def test_reserved_concurrency_throttles_at_once(live: LiveEmulator) -> None:
    running = begin(live, "ReservedFunction", sleep=0.5)
    wait_for(lambda: in_flight(live, "ReservedFunction"), "the first call")
    with pytest.raises(Throttled) as throttled:
        act(live, "ReservedFunction")
    assert throttled.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert running.result().error is None
    assert act(live, "ReservedFunction", answer=1).payload == b"1"


def test_calls_over_the_machines_limit_are_queued(emulate: Emulate) -> None:
    live = emulate(limits=Limits(per_function=2))
    calls = [begin(live, sleep=0.05, answer=number) for number in range(8)]
    assert [json.loads(call.result().payload) for call in calls] == list(range(8))
    assert live.runtime.stats()["ActFunction"].environments == 2


def test_a_call_that_is_queued_too_long_is_throttled(emulate: Emulate) -> None:
    live = emulate(limits=Limits(environments=1, queue=0.2))
    running = begin(live, sleep=1.5)
    wait_for(lambda: in_flight(live, "ActFunction"), "the first call")
    with pytest.raises(Throttled):
        act(live)
    assert running.result().error is None
    assert act(live, answer=1).payload == b"1"


def test_an_idle_environment_makes_room_for_another_functions(emulate: Emulate) -> None:
    live = emulate(limits=Limits(environments=1, queue=5))
    pid = about(live)["pid"]
    assert act(live, "ShortTimeoutFunction", answer=1).payload == b"1"
    wait_for(lambda: has_ended(pid), "the idle one to end")
    stats = live.runtime.stats()
    assert (stats["ActFunction"].environments, stats["ShortTimeoutFunction"].environments) == (0, 1)


def test_a_recently_used_environment_is_not_ended_for_a_new_call(emulate: Emulate) -> None:
    live = emulate(limits=Limits(environments=1, queue=5, recently_used=60, patience=0.5))
    about(live)
    began = time.monotonic()
    assert act(live, "ShortTimeoutFunction", answer=1).payload == b"1"
    assert time.monotonic() - began >= 0.5
    assert live.runtime.limit_stats().evictions == 1


def _record(served: list[str], name: str, _call: object) -> None:
    served.append(name)


def _waits(live: LiveEmulator, name: str) -> int:
    return live.runtime.stats()[name].waits


def test_the_call_that_has_waited_longest_is_served_first_whichever_its_function(emulate: Emulate) -> None:
    live = emulate(limits=Limits(environments=1, queue=10, patience=0.1))
    served: list[str] = []
    calls = [begin(live, sleep=0.5)]
    wait_for(lambda: in_flight(live, "ActFunction"), "the first call")
    for name in ("ShortTimeoutFunction", "ActFunction"):
        calls.append(begin(live, name, answer=1))
        calls[-1].add_done_callback(partial(_record, served, name))
        wait_for(partial(_waits, live, name), "it to wait")
    for call in calls:
        call.result(20)
    assert served == ["ShortTimeoutFunction", "ActFunction"]


def test_idle_environments_are_ended(emulate: Emulate) -> None:
    live = emulate(limits=Limits(idle=0.2))
    pid = about(live)["pid"]
    wait_for(lambda: has_ended(pid), "the process to be ended")
    wait_for(lambda: live.runtime.stats()["ActFunction"].environments == 0, "the environment to be forgotten")


def test_a_change_in_the_source_is_in_the_next_answer(emulate: Emulate, stack: Stack, tmp_path: Path) -> None:
    original = stack.functions["EchoFunction"]
    shutil.copytree(original.code / "functions", tmp_path / "functions")
    copied = replace(original, code=tmp_path)
    live = emulate(replace(stack, functions={"EchoFunction": copied}, apis=(), kafka_sources=(), schedules=()))
    assert json.loads(live.invoke("EchoFunction").payload)["statusCode"] == 200
    (tmp_path / "functions/sample/echo.py").write_text("def handler(event, context):\n    return 'changed'\n")
    wait_for(lambda: live.invoke("EchoFunction").payload == b'"changed"', "the new source")


def test_requests_over_six_megabytes_are_rejected_and_responses_over_it_are_errors(live: LiveEmulator) -> None:
    with pytest.raises(PayloadTooLarge):
        live.invoke("ActFunction", b'"' + b"x" * 6_291_556 + b'"')
    assert len(act(live, text=6_291_554).payload) == 6_291_556
    document = json.loads(act(live, text=6_291_555).payload)
    assert document["errorType"] == "Function.ResponseSizeTooLarge"
    assert act(live, answer=1).payload == b"1"


def test_output_is_logged_line_by_line_with_its_request_id(live: LiveEmulator) -> None:
    result = act(live, print="one\ntwo")
    wanted = [("ActFunction", result.request_id, line) for line in ("one", "two", "and to stderr")]
    wait_for(lambda: set(wanted) <= set(live.lines), "the lines")


def test_a_traceback_is_logged_as_lines(live: LiveEmulator) -> None:
    result = act(live, fail="in the log")
    wait_for(lambda: ("ActFunction", result.request_id, "[ERROR] RuntimeError: in the log") in live.lines, "the error")
    assert not any("\r" in line for _, _, line in live.lines)


def test_an_unknown_function_is_not_found(live: LiveEmulator) -> None:
    with pytest.raises(FunctionNotFound):
        live.invoke("NoSuchFunction")


def test_closing_ends_every_process(emulate: Emulate) -> None:
    live = emulate()
    pid = about(live)["pid"]
    running = begin(live, sleep=60)
    wait_for(lambda: live.runtime.stats()["ActFunction"].in_flight, "a running call")
    live.close()
    assert has_ended(pid)
    assert running.done()


def test_every_process_ends_when_the_emulator_is_killed(state: Path) -> None:
    here = Path(__file__).parent
    script = f"""
import asyncio, json
from pathlib import Path
from emulator.runtime import Runtime
from emulator.template import load

async def main():
    stack = load(Path({str(here / "template.yaml")!r}), cache=Path({str(state)!r}))
    runtime = Runtime(stack.functions, state=Path({str(state)!r}))
    print(json.loads((await runtime.invoke("ActFunction", b'{{"self": null}}')).payload)["pid"], flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
    command = [sys.executable, "-c", script]
    with Child(command, stdout=subprocess.PIPE, text=True, cwd=here.parents[1]) as emulator:
        pid = int(emulator.line())
        assert not has_ended(pid)
        emulator.kill()
    wait_for(lambda: has_ended(pid), "the environment to end with it")


def test_a_cancelled_call_ends_its_process(emulate: Emulate) -> None:
    live = emulate()
    pid = about(live)["pid"]
    call = begin(live, sleep=60)
    wait_for(lambda: in_flight(live, "ActFunction"), "the call")
    call.cancel()
    wait_for(lambda: has_ended(pid), "the busy process to be killed")
    assert act(live, answer=1).payload == b"1"


def test_counts_are_kept_by_function(emulate: Emulate) -> None:
    live = emulate()
    act(live, answer=1)
    act(live, fail="once")
    stats = live.runtime.stats()["ActFunction"]
    assert (stats.invocations, stats.errors, stats.cold_starts, stats.environments) == (2, 1, 1, 1)
    assert live.runtime.stats()["EchoFunction"].environments == 0
