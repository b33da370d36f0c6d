"""Request bodies, validated strictly, and error responses."""

from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel


class OutsideBody(BaseModel):
    """A body of an outside party's API. Unknown fields are accepted, as by the real API."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, strict=True, frozen=True)


class SandboxBody(OutsideBody):
    """A body of `/sandbox/**`. An unknown field is probably a typing error and is rejected."""

    model_config = ConfigDict(extra="forbid")


class InvalidBody(Exception):
    """The body is invalid. The message names every wrong field with the reason."""


AnyBody = TypeVar("AnyBody", bound=BaseModel)


async def read_body(request: web.Request, model: type[AnyBody]) -> AnyBody:
    """The request's JSON as `model`; raises `InvalidBody`."""
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        reasons = (
            f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
        )
        raise InvalidBody("; ".join(reasons)) from None


def error_response(status: int, kind: str, message: str, **more: Any) -> web.Response:
    """An error in PortOne's format `{type, message}`, which the sandbox's own endpoints use too."""
    return web.json_response({"type": kind, "message": message, **more}, status=status)
