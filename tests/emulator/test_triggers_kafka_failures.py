"""What a Kafka event source mapping does with batches that fail, and with records that match no filter."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from emulator.services import Running
from emulator.stack import StackError
from emulator.triggers import kafka_options
from emulator.triggers.filter_pattern import Filters
from tests.emulator.kafka_lambda import FakeLambda, listening, run, send, source, triggered, until

QUEUE = "arn:aws:sqs:eu-central-1:000000000000:given-up"
ARN = "arn:aws:lambda:eu-central-1:000000000000:function:OnOrder"


def fails_on(*bad: str) -> FakeLambda:
    def behaviour(values: list[str]) -> None:
        if set(bad) & set(values):
            raise RuntimeError("cannot")

    return FakeLambda(behaviour)


def on_failure(destination: str, **more: Any) -> dict[str, Any]:
    return {"DestinationConfig": {"OnFailure": {"Destination": destination}}, **more}


def test_after_its_attempts_a_batch_is_given_up_and_the_partition_continues(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    async def scenario() -> None:
        fake = fails_on("bad")
        send(producer, topic, ["bad", "good"])
        mapping = source(topic, batch_size=1, properties={"MaximumRetryAttempts": 2})
        async with listening(fake) as endpoint, triggered(broker, mapping, endpoint) as trigger:
            await until(lambda: trigger.status().lag == 0)
            assert trigger.status().discarded == 1

        assert fake.seen == ["bad", "bad", "bad", "good"]

    run(scenario())


def test_a_throttle_uses_up_no_attempt(broker: Running, topic: str, producer: KafkaProducer) -> None:
    async def scenario() -> None:
        fake = FakeLambda()
        fake.throttles = 4
        send(producer, topic, ["a"])
        mapping = source(topic, properties={"MaximumRetryAttempts": 0})
        async with listening(fake) as endpoint, triggered(broker, mapping, endpoint) as trigger:
            await until(lambda: trigger.status().lag == 0)
            assert trigger.status().discarded == 0

        assert fake.seen == ["a"]

    run(scenario())


def test_a_failing_batch_is_split_in_two_until_the_bad_record_is_alone(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    async def scenario() -> None:
        fake = fails_on("bad")
        send(producer, topic, ["a", "b", "bad", "d"])
        properties = {"MaximumRetryAttempts": 1, "BisectBatchOnFunctionError": True}
        mapping = source(topic, batch_size=4, window=0.5, properties=properties)
        async with listening(fake) as endpoint, triggered(broker, mapping, endpoint) as trigger:
            await until(lambda: trigger.status().lag == 0)
            assert trigger.status().discarded == 1

        assert fake.batches == [["a", "b", "bad", "d"], ["a", "b"], ["bad", "d"], ["bad"], ["bad"], ["d"]]

    run(scenario())


def test_records_that_are_too_old_never_reach_the_function(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    async def scenario() -> None:
        fake = FakeLambda()
        producer.send(topic, b"old", partition=0, timestamp_ms=int((time.time() - 120) * 1000)).get(timeout=10)
        send(producer, topic, ["new"])
        mapping = source(topic, properties={"MaximumRecordAgeInSeconds": 60})
        async with listening(fake) as endpoint, triggered(broker, mapping, endpoint) as trigger:
            await until(lambda: trigger.status().lag == 0)
            assert trigger.status().discarded == 1

        assert fake.seen == ["new"]

    run(scenario())


def test_a_batch_that_is_given_up_is_reported_to_an_sqs_queue_with_its_offsets(
    broker: Running, topic: str, producer: KafkaProducer, aws: str
) -> None:
    async def scenario() -> None:
        fake = fails_on("bad")
        send(producer, topic, ["bad", "worse"], partition=1)
        mapping = source(topic, window=0.5, properties=on_failure(f"{QUEUE}-{topic}", MaximumRetryAttempts=1))
        async with (
            listening(fake) as endpoint,
            triggered(broker, mapping, endpoint, aws_url=aws, function_arn=ARN) as trigger,
        ):
            await until(lambda: trigger.status().lag == 0)

    run(scenario())
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "eu-central-1"}
    sqs = boto3.client("sqs", endpoint_url=aws, **keys)
    url = sqs.get_queue_url(QueueName=f"given-up-{topic}")["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    letter = json.loads(message["Body"])

    assert letter["requestContext"] == {
        "requestId": letter["requestContext"]["requestId"],
        "functionArn": ARN,
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 2,
    }
    assert letter["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert letter["KafkaBatchInfo"]["batchSize"] == 2
    assert letter["KafkaBatchInfo"]["bootstrapServers"] == broker.kafka[0]
    (name, span), *_ = letter["KafkaBatchInfo"]["recordsInfo"].items()
    assert (name, span["firstRecordOffset"], span["lastRecordOffset"]) == (f"{topic}-1", "0", "1")
    assert "payload" not in letter


def test_a_batch_that_is_given_up_is_written_to_a_topic_record_by_record_with_its_keys(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    dead = f"dead-{topic}"
    admin = KafkaAdminClient(bootstrap_servers=broker.kafka)
    admin.create_topics([NewTopic(dead, 1, 1)])
    admin.wait_for_topics([dead])
    admin.close()

    async def scenario() -> None:
        fake = fails_on("bad")
        producer.send(topic, b"bad", key=b"k1", partition=0).get(timeout=10)
        producer.send(topic, b"worse", key=b"k2", partition=0).get(timeout=10)
        mapping = source(topic, window=0.5, properties=on_failure(f"kafka://{dead}", MaximumRetryAttempts=0))
        async with listening(fake) as endpoint, triggered(broker, mapping, endpoint) as trigger:
            await until(lambda: trigger.status().lag == 0)

    run(scenario())
    consumer = KafkaConsumer(bootstrap_servers=broker.kafka, auto_offset_reset="earliest", consumer_timeout_ms=5000)
    consumer.assign([TopicPartition(dead, 0)])
    first, second = next(consumer), next(consumer)
    consumer.close()
    letter = json.loads(first.value)

    assert [first.key, second.key] == [b"k1", b"k2"]
    assert letter["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert letter["KafkaBatchInfo"]["recordInfo"]["offset"] == "0"
    assert letter["payload"]["records"][f"{topic}-0"][0]["value"] == "YmFk"


def test_an_unavailable_destination_loses_the_batch_after_three_attempts_as_on_aws(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    async def scenario() -> None:
        fake = fails_on("bad")
        send(producer, topic, ["bad", "good"])
        mapping = source(topic, batch_size=1, properties=on_failure(QUEUE, MaximumRetryAttempts=0))
        async with (
            listening(fake) as endpoint,
            triggered(broker, mapping, endpoint, aws_url="http://127.0.0.1:1") as trigger,
        ):
            await until(lambda: trigger.status().lag == 0)

        assert fake.seen == ["bad", "good"]

    run(scenario())


def test_only_records_that_pass_a_filter_reach_the_function_and_the_others_are_committed(
    broker: Running, topic: str, producer: KafkaProducer
) -> None:
    async def scenario() -> None:
        fake = FakeLambda()
        wanted, unwanted = json.dumps({"kind": "Paid"}), json.dumps({"kind": "Seen"})
        send(producer, topic, [unwanted, wanted, unwanted, unwanted])
        pattern = json.dumps({"value": {"kind": ["Paid"]}})
        mapping = source(topic, properties={"FilterCriteria": {"Filters": [{"Pattern": pattern}]}})
        async with listening(fake) as endpoint:
            async with triggered(broker, mapping, endpoint) as trigger:
                await until(lambda: trigger.status().lag == 0)
                assert trigger.status().filtered == 3
            async with triggered(broker, mapping, endpoint) as trigger:
                await until(lambda: trigger.status().lag == 0)
                assert trigger.status().filtered == 0, "records that match no filter are not read again"

        assert fake.seen == [wanted]

    run(scenario())


@pytest.mark.parametrize(
    ("rule", "passing", "dropped"),
    [
        ({"a": ["x", 1, None]}, [{"a": "x"}, {"a": 1}, {"a": None}], [{"a": "y"}, {"a": 1.0}, {"a": True}, {}]),
        ({"a": [""]}, [{"a": ""}], [{"a": "x"}]),
        ({"a": {"b": [{"prefix": "x"}]}}, [{"a": {"b": "xy"}}], [{"a": {"b": "yx"}}, {"a": "x"}, {"b": "x"}]),
        ({"a": [{"suffix": "x"}]}, [{"a": "yx"}], [{"a": "xy"}, {"a": 1}]),
        ({"a": [{"equals-ignore-case": "Seoul"}]}, [{"a": "SEOUL"}], [{"a": "Busan"}]),
        ({"a": [{"anything-but": ["x", "y"]}]}, [{"a": "z"}], [{"a": "x"}, {}]),
        ({"a": [{"numeric": [">", 10, "<=", 20]}]}, [{"a": 20}, {"a": 10.5}], [{"a": 10}, {"a": "15"}, {"a": True}]),
        ({"a": [{"numeric": ["=", 3]}]}, [{"a": 3}], [{"a": 4}]),
        ({"a": [{"exists": True}]}, [{"a": None}], [{"b": 1}, {"a": {"b": 1}}]),
        ({"a": {"b": [{"exists": False}]}}, [{}, {"a": {}}], [{"a": {"b": 1}}]),
        ({"a": ["x"], "b": ["y"]}, [{"a": "x", "b": "y"}], [{"a": "x"}, {"b": "y"}]),
        ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, [{"a": "x"}, {"b": "y"}], [{"a": "y"}]),
        ({"tags": ["x"]}, [{"tags": ["y", "x"]}], [{"tags": ["y"]}]),
        ({"lines": {"sku": ["x"]}}, [{"lines": [{"sku": "y"}, {"sku": "x"}]}], [{"lines": []}]),
    ],
)
def test_a_filter_passes_what_matches_its_rule(rule: Any, passing: list[Any], dropped: list[Any]) -> None:
    filters = Filters([{"Pattern": json.dumps({"value": rule})}], "Filters")

    assert [document for document in passing if not filters.pass_value(json.dumps(document).encode())] == []
    assert [document for document in dropped if filters.pass_value(json.dumps(document).encode())] == []
    assert not filters.pass_value(b"no json")
    assert not filters.pass_value(b"\xff")


def test_a_rule_on_plain_text_passes_no_json_and_filters_are_alternatives() -> None:
    filters = Filters([{"Pattern": '{"value": [{"prefix": "a"}]}'}, {"Pattern": '{"value": {"b": [1]}}'}], "Filters")

    assert [filters.pass_value(value) for value in (b"abc", b"bc", b'{"b": 1}', b'"a"', None)] == [
        *(True, False, True, False, False)
    ]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"TumblingWindowInSeconds": 5}, r"Resources\.Orders\.Properties\.TumblingWindowInSeconds: not emulated"),
        ({"MaximumRetryAttempts": 10001}, r"MaximumRetryAttempts: 10001 is neither -1 nor from 0 to 10000"),
        ({"MaximumRecordAgeInSeconds": 5}, r"MaximumRecordAgeInSeconds: 5 is neither -1 nor from 60"),
        (on_failure("arn:aws:sns:eu-central-1:000000000000:t"), "only SQS queues and kafka://topic are emulated"),
        (on_failure("arn:aws:s3:::bucket"), r"OnFailure\.Destination: arn:aws:s3:::bucket"),
        (on_failure("kafka://orders"), "must be another topic than the source's"),
        ({"AmazonManagedKafkaEventSourceConfig": {"SchemaRegistryConfig": {}}}, "SchemaRegistryConfig: not emulated"),
        ({"FilterCriteria": {"Filters": [{"Pattern": '{"key": ["a"]}'}]}}, r"Filters\[0\]\.Pattern: .* not on key"),
        ({"FilterCriteria": {"Filters": [{"Pattern": '{"value": {"a": [{"wildcard": "*"}]}}'}]}}, "operator wildcard"),
        ({"FilterCriteria": {"Filters": [{"Pattern": '{"value": {"a": "b"}}'}]}}, "must be an object, or a list"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, "not JSON"),
    ],
)
def test_a_property_that_is_not_emulated_is_rejected_by_its_path(properties: dict[str, Any], message: str) -> None:
    with pytest.raises(StackError, match=message):
        kafka_options.read(source("orders", properties=properties))


def test_properties_without_effect_here_are_ignored(tmp_path: Path) -> None:
    properties = {"ProvisionedPollerConfig": {"MinimumPollers": 1}, "MaximumRetryAttempts": -1, "Tags": []}

    assert kafka_options.read(source("orders", properties=properties)).retries is None


def test_two_partitions_are_processed_at_the_same_time(broker: Running, topic: str, producer: KafkaProducer) -> None:
    async def scenario() -> None:
        fake = FakeLambda(hold=asyncio.Event())
        assert fake.hold
        send(producer, topic, ["a", "b"], 0)
        send(producer, topic, ["c"], 1)
        async with listening(fake) as endpoint, triggered(broker, source(topic, batch_size=1), endpoint):
            await until(lambda: len(fake.events) == 2)
            assert sorted(fake.seen) == ["a", "c"]
            fake.hold.set()
            await until(lambda: sorted(fake.seen) == ["a", "b", "c"])

    run(scenario())
