"""The quantities that AWS bills for an on-sale, and for a month without one.

A buyer logs in, browses the event and enters the queue, then polls every `poll` seconds until they are admitted, the
event is sold out or the sale ends. A part of the admitted buyers buys. What each step calls was measured
(`make cost-measure`); memory and schedules come from the templates.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tools.cost.bill import Use
from tools.cost.deployed import Deployed, Function
from tools.cost.measured import Measured, Step

A_VCPU_MB = 1769  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
SALE_TERMS, TERMS_SECONDS = "EventsSaleTermsFunction", 2  # called on a schedule, not by buyers (docs/waiting-room.md)
TRACED = 0.1  # X-Ray's sampling
SECRET_CACHE_SECONDS = 300  # how long an execution environment caches secrets
SECRETS_PER_ENVIRONMENT = 4
STATUS_SECONDS = 120  # between the status polls of a buyer who reads the counter (docs/waiting-room.md)
COUNTER_SECONDS = 1  # how long CloudFront caches the counter
EDGE_CACHES = 3  # CloudFront caches that request it: Seoul's and those of a neighbour region
WAITER_BYTES = 411  # in Redis (docs/waiting-room.md)
HEADERS_BYTES = 700  # of a response, without its body
STORAGE_GB = 100  # of Postgres
PROXY_VCPUS = 2
LOG_MONTHS = 1


@dataclass(frozen=True)
class Sale:
    crowd: int
    seats: int
    minutes: float
    poll: float  # seconds
    edge_counter: bool = False
    rate: float = 10.0  # admitted a second
    each: int = 2  # tickets per buyer
    buying: float = 0.8  # part of the admitted buyers

    @property
    def sold(self) -> int:
        """Seats sold: all, unless there are too few buyers or too little time."""
        admitted = min(self.crowd, self.rate * self.minutes * 60)
        return int(min(self.seats, admitted * self.buying * self.each))

    @property
    def buyers(self) -> float:
        return self.sold / self.each

    @property
    def admitted(self) -> float:
        return self.buyers / self.buying

    @property
    def waited_seconds(self) -> float:
        """The sum over all buyers: from 0 for the first, to the end of the sale for a buyer who is not admitted."""
        over = self.admitted / self.rate
        if self.sold < self.seats:
            over = max(over, self.minutes * 60 if self.admitted < self.crowd else over)
        return self.admitted * (self.admitted / self.rate) / 2 + (self.crowd - self.admitted) * over

    @property
    def seconds(self) -> float:
        return self.minutes * 60


def steps_of(sale: Sale) -> dict[str, float]:
    """How often each measured step is done."""
    polls = sale.waited_seconds / sale.poll
    times = {"log_in": sale.crowd, "browse": sale.crowd, "enter": sale.crowd, "buy": sale.buyers}
    if not sale.edge_counter:
        return {**times, "poll": polls + sale.admitted, "counter": 0.0}
    cache_misses = min(polls, sale.seconds / COUNTER_SECONDS * EDGE_CACHES)
    return {**times, "poll": sale.waited_seconds / STATUS_SECONDS + sale.admitted, "counter": cache_misses}


def on_sale(sale: Sale, deployed: Deployed, measured: Measured) -> Iterator[Use]:
    """What the sale uses, and what all resources cost during it."""
    times = steps_of(sale)
    calls: dict[str, float] = {SALE_TERMS: sale.seconds / TERMS_SECONDS}
    for name, count in times.items():
        step = measured.steps[name]
        yield from _of_step(name, step, count)
        for function, often in step.calls.items():
            calls[function] = calls.get(function, 0.0) + often * count
    if sale.edge_counter:
        polls = sale.waited_seconds / sale.poll
        yield Use("cdn_requests", polls, "counter")
        yield Use("cdn_out", polls * (measured.steps["counter"].answer_bytes + HEADERS_BYTES) / 1e9, "counter")
    busy = 0.0
    for function, count in calls.items():
        yield from _of_function(function, deployed.functions[function], measured, count)
        busy += count * _seconds(deployed.functions[function], measured.milliseconds[function])
    # Twice as many execution environments as are busy at a time, since they are replaced.
    secret_requests = 2 * busy / sale.seconds * SECRETS_PER_ENVIRONMENT * max(1, sale.seconds / SECRET_CACHE_SECONDS)
    yield Use("secret_requests", secret_requests)
    yield Use("kms_requests", sale.crowd / 1000, "data keys")
    yield Use("redis_stored", max(0.1, sale.crowd * WAITER_BYTES / 1e9) * sale.minutes / 60)
    yield from _standing(deployed, measured, sale.minutes / 60 / 730)


def idle_month(deployed: Deployed, measured: Measured) -> Iterator[Use]:
    """A month without a sale."""
    yield Use("redis_stored", 0.1 * 730)
    yield from _standing(deployed, measured, 1.0)


def _of_step(name: str, step: Step, count: float) -> Iterator[Use]:
    requests = step.requests * count
    yield Use("api_requests", requests, name)
    yield Use("waf_requests", requests)
    yield Use("traces", requests * TRACED)
    yield Use("data_out", count * (step.answer_bytes + step.requests * HEADERS_BYTES) / 1e9, name)
    # One for each kilobyte, at least one for each command. The time of scripts counts too, but is not measured.
    yield Use("redis_units", count * max(step.redis_commands, step.redis_bytes / 1024), name)
    # Provisioned Kafka does not bill gigabytes. Assumed: relay and readers are in another zone than the leader.
    yield Use("between_zones", count * step.message_bytes * (1 + step.readers) / 1e9)


def _of_function(
    name: str, function: Function, measured: Measured, count: float, sleeps: bool = False
) -> Iterator[Use]:
    milliseconds = measured.milliseconds[name]
    seconds = milliseconds / 1000 if sleeps else _seconds(function, milliseconds)
    yield Use("lambda_requests", count)
    yield Use(f"lambda_{function.architecture}", count * seconds * function.memory_mb / 1024, name)
    gigabytes = count * measured.log_bytes.get(name, 0) / 1e9
    yield Use("log_ingestion", gigabytes, name)
    yield Use("log_storage", gigabytes * LOG_MONTHS)


def _seconds(function: Function, milliseconds: float) -> float:
    """Measured on a whole processor. With less memory, a function gets a smaller part of one and takes longer."""
    return milliseconds / 1000 * max(1.0, A_VCPU_MB / function.memory_mb)


def _standing(deployed: Deployed, measured: Measured, months: float) -> Iterator[Use]:
    """What runs all the time, with or without buyers."""
    hours = 730 * months
    for name, function in deployed.functions.items():
        if function.runs_a_month:
            runs = function.runs_a_month * months
            yield Use("schedules", runs)
            yield from _of_function(name, function, measured, runs, sleeps=True)
    standing: Mapping[str, tuple[str, float]] = {
        "AWS::CloudWatch::Alarm": ("alarms", months),
        "AWS::CloudWatch::Dashboard": ("dashboards", months),
        "AWS::KMS::Key": ("kms_keys", months),
        "AWS::WAFv2::WebACL": ("waf_acl", months),
        "AWS::EC2::VPCEndpoint": ("endpoints", 2 * hours),  # in two zones
        "AWS::EC2::NatGateway": ("nat", hours),
        "AWS::EC2::EIP": ("public_addresses", hours),
        "AWS::RDS::DBInstance": ("database", hours),
        "AWS::RDS::DBProxy": ("database_proxy", PROXY_VCPUS * hours),
    }
    for kind, (price, quantity) in standing.items():
        yield Use(price, deployed.resources.get(kind, 0) * quantity)
    yield Use("kafka_pollers", deployed.poller_units * hours)
    yield Use("waf_rules", 4 * months)
    yield Use("secrets", deployed.secrets * months)
    yield Use("metrics", measured.metrics * months)
    yield Use("kafka_brokers", deployed.brokers * hours)
    yield Use("kafka_storage", deployed.broker_gb * months)
    yield Use("database_storage", STORAGE_GB * months)
