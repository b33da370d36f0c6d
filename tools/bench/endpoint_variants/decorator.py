"""Ours: a thin decorator over pydantic and Powertools' Logger and metrics."""

from uuid import UUID

from common.domain.model import Model
from common.http.endpoint import endpoint
from common.http.request import Body, User


class EnterBody(Body):
    event_id: UUID


class Place(Model):
    event_id: UUID
    user_id: UUID


@endpoint
def handler(user: User, body: EnterBody) -> Place:
    return Place(event_id=body.event_id, user_id=user.id)
