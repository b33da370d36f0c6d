"""Powertools' REST resolver with validation, logger and metrics, without the rest of our API's contract."""

from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from pydantic import BaseModel

log = Logger(utc=True)
app = APIGatewayRestResolver(enable_validation=True)


class EnterBody(BaseModel):
    eventId: UUID


class Place(BaseModel):
    eventId: UUID
    userId: UUID


@app.post("/queue/enter")
def enter(body: EnterBody) -> Place:
    user = app.current_event.request_context.authorizer.raw_event["sub"]
    return Place(eventId=body.eventId, userId=UUID(user))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    response = app.resolve(event, context)
    log.info("request", extra={"status": response["statusCode"]})
    metrics = EphemeralMetrics(namespace="Ticketing")
    metrics.add_dimension("route", "POST /queue/enter")
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    metrics.flush_metrics()
    return response
