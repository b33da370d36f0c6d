"""Metrics in CloudWatch's embedded metric format: one record on stdout, without a call (GW-014)."""

from collections.abc import Mapping

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE = "Ticketing"


def emit(dimensions: Mapping[str, str], **metrics: float | tuple[MetricUnit, float]) -> None:
    """`emit({"service": "payments"}, RefundsDue=2, OldestAge=(MetricUnit.Seconds, 0.3))`; a bare number is a count."""
    line = EphemeralMetrics(namespace=NAMESPACE, service=None)
    for name, value in dimensions.items():
        line.add_dimension(name, value)
    for name, measured in metrics.items():
        unit, amount = measured if isinstance(measured, tuple) else (MetricUnit.Count, measured)
        line.add_metric(name, unit, amount)
    line.flush_metrics()
