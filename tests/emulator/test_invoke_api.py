import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.stack import Stack, StackError
from tests.emulator.live_emulator import LiveEmulator, wait_for

Emulate = Callable[..., LiveEmulator]

ARN = "arn:aws:lambda:ap-northeast-2:000000000000:function:act-by-name"


def client_of(live: LiveEmulator) -> Any:
    return boto3.client(
        "lambda",
        endpoint_url=live.emulator.invoke_url,
        region_name="ap-northeast-2",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def client(live: LiveEmulator) -> Iterator[Any]:
    client = client_of(live)
    yield client
    client.close()


def rejection(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ClientError) as error:
        call()
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("name", ["ActFunction", "act-by-name", ARN, f"{ARN}:$LATEST", "act-by-name:$LATEST"])
def test_a_function_is_invoked_by_any_of_its_names(client: Any, name: str) -> None:
    answer = client.invoke(FunctionName=name, Payload=b'{"answer": [1, 2]}')
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert json.load(answer["Payload"]) == [1, 2]
    assert "FunctionError" not in answer


def test_a_function_that_fails_is_a_200_that_says_so(client: Any) -> None:
    answer = client.invoke(FunctionName="ActFunction", Payload=b'{"fail": "no"}')
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.load(answer["Payload"])["errorType"] == "RuntimeError"


def test_the_tail_of_the_log_is_the_last_four_kilobytes_with_the_platforms_lines(client: Any) -> None:
    answer = client.invoke(FunctionName="ActFunction", LogType="Tail", Payload=b'{"print": "seat taken"}')
    log = base64.b64decode(answer["LogResult"]).decode()
    assert log.startswith("START RequestId: ")
    assert "seat taken\n" in log
    assert "Memory Size: 128 MB" in log
    long = client.invoke(FunctionName="ActFunction", LogType="Tail", Payload=json.dumps({"print": "x" * 9000}).encode())
    assert len(base64.b64decode(long["LogResult"])) == 4096
    following = client.invoke(FunctionName="ActFunction", LogType="Tail", Payload=b'{"print": "seat free"}')
    assert "xxx" not in base64.b64decode(following["LogResult"]).decode()


def test_the_client_context_reaches_the_function(client: Any) -> None:
    context = base64.b64encode(b'{"custom": {"from": "boto"}}').decode()
    answer = client.invoke(FunctionName="ActFunction", ClientContext=context, Payload=b'{"self": null}')
    assert json.load(answer["Payload"])["context"]["client"] == {"from": "boto"}


def test_without_a_payload_the_event_is_an_empty_object(client: Any) -> None:
    assert json.load(client.invoke(FunctionName="EchoFunction")["Payload"])["body"] == "{}"


def test_invalid_invocations_are_rejected_as_on_aws(client: Any, live: LiveEmulator) -> None:
    assert rejection(lambda: client.invoke(FunctionName="Missing")) == (404, "ResourceNotFoundException")
    bad = rejection(lambda: client.invoke(FunctionName="ActFunction", Payload=b"{not json"))
    assert bad == (400, "InvalidRequestContentException")
    large = json.dumps("x" * 6_291_556).encode()
    assert rejection(lambda: client.invoke(FunctionName="ActFunction", Payload=large)) == (
        413,
        "RequestTooLargeException",
    )
    event = json.dumps("x" * 1_048_576).encode()
    too_large = rejection(lambda: client.invoke(FunctionName="ActFunction", InvocationType="Event", Payload=event))
    assert too_large == (413, "RequestTooLargeException")
    assert httpx.get(f"{live.emulator.invoke_url}/2015-03-31/functions").status_code == 404


def test_a_throttled_function_is_a_429(client: Any, live: LiveEmulator) -> None:
    running = live.begin(live.runtime.invoke("ReservedFunction", b'{"sleep": 0.5}'))
    wait_for(lambda: live.runtime.stats()["ReservedFunction"].in_flight, "the first call")
    assert rejection(lambda: client.invoke(FunctionName="ReservedFunction")) == (429, "TooManyRequestsException")
    running.result()


def test_a_dry_run_runs_nothing(client: Any, live: LiveEmulator) -> None:
    before = live.runtime.stats()["ActFunction"].invocations
    assert client.invoke(FunctionName="ActFunction", InvocationType="DryRun")["StatusCode"] == 204
    assert live.runtime.stats()["ActFunction"].invocations == before


def test_an_event_is_accepted_at_once_and_runs_afterwards(client: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    payload = json.dumps({"sleep": 0.3, "append": str(mark)}).encode()
    answer = client.invoke(FunctionName="ActFunction", InvocationType="Event", Payload=payload)
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert not mark.exists()
    wait_for(lambda: lines(mark), "the event to run")


def test_an_event_whose_function_fails_is_retried_twice_with_the_same_request_id(
    emulate: Emulate, tmp_path: Path
) -> None:
    live = emulate(retry_delays=(0.05, 0.05))
    mark = tmp_path / "mark"
    payload = json.dumps({"append": str(mark), "fail": "again"}).encode()
    client_of(live).invoke(FunctionName="ActFunction", InvocationType="Event", Payload=payload)
    wait_for(lambda: live.runtime.stats()["ActFunction"].errors == 3, "three attempts")
    attempts = lines(mark)
    assert len(attempts) == 3
    assert len({attempt.split()[1] for attempt in attempts}) == 1


def test_a_throttled_event_waits_and_does_not_count_as_an_attempt(emulate: Emulate, tmp_path: Path) -> None:
    live = emulate(retry_delays=())
    running = live.begin(live.runtime.invoke("ReservedFunction", b'{"sleep": 0.5}'))
    wait_for(lambda: live.runtime.stats()["ReservedFunction"].in_flight, "the first call")
    mark = tmp_path / "mark"
    payload = json.dumps({"append": str(mark)}).encode()
    client_of(live).invoke(FunctionName="ReservedFunction", InvocationType="Event", Payload=payload)
    running.result()
    wait_for(lambda: lines(mark), "the event to run")
    assert live.runtime.stats()["ReservedFunction"].throttles >= 1


def test_a_function_can_invoke_another_through_its_environment(live: LiveEmulator) -> None:
    seen = json.loads(live.invoke("ActFunction", b'{"self": null}').payload)["environment"]
    url = f"{seen['AWS_ENDPOINT_URL_LAMBDA']}/2015-03-31/functions/EchoFunction/invocations"
    assert httpx.post(url, json={"a": 1}).json()["statusCode"] == 200


def test_a_qualifier_is_an_existing_alias_or_version(client: Any) -> None:
    for name, qualifier in (("SnapFunction:live", None), ("SnapFunction", "live"), ("SnapFunction", "1")):
        answer = client.invoke(FunctionName=name, **({"Qualifier": qualifier} if qualifier else {}))
        assert (answer["ExecutedVersion"], json.load(answer["Payload"])["version"]) == ("1", "1")
    for name in ("SnapFunction:old", "ActFunction:live", "ActFunction:1"):
        assert rejection(partial(client.invoke, FunctionName=name)) == (404, "ResourceNotFoundException")


def test_a_throttling_error_names_the_limit(client: Any, live: LiveEmulator) -> None:
    running = live.begin(live.runtime.invoke("ReservedFunction", b'{"sleep": 0.5}'))
    wait_for(lambda: live.runtime.stats()["ReservedFunction"].in_flight, "the first call")
    with pytest.raises(ClientError) as error:
        client.invoke(FunctionName="ReservedFunction")
    assert error.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    running.result()


# -- destinations of events

QUEUE = "arn:aws:sqs:ap-northeast-2:000000000000:"


@pytest.fixture(scope="module")
def sqs() -> Iterator[Any]:
    """A client of moto's SQS; `sqs.meta.endpoint_url` is its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("sqs", endpoint_url=f"http://127.0.0.1:{port}", region_name="ap-northeast-2", **keys)
    yield client
    client.close()
    server.stop()


def send_event(
    emulate: Emulate, stack: Stack, sqs: Any, payload: object, *, delays: Any = (0.01, 0.01), **config: Any
) -> str:
    """Sends ActFunction an event, with this configuration; returns the request id."""
    changed = {**stack.functions, "ActFunction": replace(stack.functions["ActFunction"], **config)}
    live = emulate(
        replace(stack, functions=changed),
        environment={"AWS_ENDPOINT_URL": sqs.meta.endpoint_url},
        retry_delays=delays,
    )
    answer = client_of(live).invoke(
        FunctionName="ActFunction", InvocationType="Event", Payload=json.dumps(payload).encode()
    )
    request_id: str = answer["ResponseMetadata"]["RequestId"]
    return request_id


def message(sqs: Any, name: str) -> Any:
    """The next message of a queue."""

    def received() -> Any:
        if name not in str(sqs.list_queues().get("QueueUrls", [])):
            return None
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        return sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages")

    return wait_for(received, f"a message in {name}")[0]


def test_a_success_is_sent_to_its_destination_with_request_and_response(
    emulate: Emulate, stack: Stack, sqs: Any
) -> None:
    request_id = send_event(emulate, stack, sqs, {"answer": {"a": 1}}, on_success=QUEUE + "succeeded")
    record = json.loads(message(sqs, "succeeded")["Body"])
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{ARN}:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"answer": {"a": 1}},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"a": 1},
    }


def test_a_function_configures_how_often_an_event_is_retried(emulate: Emulate, stack: Stack, sqs: Any) -> None:
    send_event(
        emulate, stack, sqs, {"fail": "for good"}, async_retries=1, on_failure=QUEUE + "given-up-after-one-retry"
    )
    record = json.loads(message(sqs, "given-up-after-one-retry")["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2


def test_an_event_given_up_goes_to_its_destination_and_to_its_dead_letter_queue(
    emulate: Emulate, stack: Stack, sqs: Any
) -> None:
    config = {"on_failure": QUEUE + "lost", "dead_letters": QUEUE + "dead"}
    request_id = send_event(emulate, stack, sqs, {"fail": "no seats"}, **config)
    record = json.loads(message(sqs, "lost")["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "no seats"
    dead = message(sqs, "dead")
    assert json.loads(dead["Body"]) == {"fail": "no seats"}
    attributes = {name: value["StringValue"] for name, value in dead["MessageAttributes"].items()}
    assert attributes == {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "no seats"}


def test_an_event_that_would_be_too_old_for_its_next_attempt_is_given_up(
    emulate: Emulate, stack: Stack, sqs: Any
) -> None:
    config = {"on_failure": QUEUE + "aged", "async_age": 5.0}
    send_event(emulate, stack, sqs, {"fail": "x"}, delays=(60.0, 120.0), **config)
    context = json.loads(message(sqs, "aged")["Body"])["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 1)


def test_events_of_a_function_without_concurrency_are_given_up_at_once(
    emulate: Emulate, stack: Stack, sqs: Any
) -> None:
    send_event(emulate, stack, sqs, {}, reserved_concurrency=0, on_failure=QUEUE + "barred")
    record = json.loads(message(sqs, "barred")["Body"])
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in record


def test_a_function_can_be_the_destination_of_another(emulate: Emulate, stack: Stack) -> None:
    arn = stack.functions["ShortTimeoutFunction"].arn
    changed = {**stack.functions, "ActFunction": replace(stack.functions["ActFunction"], on_success=arn)}
    live = emulate(replace(stack, functions=changed))
    client_of(live).invoke(FunctionName="ActFunction", InvocationType="Event", Payload=b'{"answer": 1}')
    wait_for(lambda: live.runtime.stats()["ShortTimeoutFunction"].cold_starts, "the destination to be invoked")


def test_a_queue_without_an_sqs_endpoint_is_rejected_at_the_start(emulate: Emulate, stack: Stack) -> None:
    changed = {**stack.functions, "ActFunction": replace(stack.functions["ActFunction"], on_failure=QUEUE + "lost")}
    with pytest.raises(StackError, match=r"ActFunction\.Properties\.EventInvokeConfig.*AWS_ENDPOINT_URL"):
        emulate(replace(stack, functions=changed))
