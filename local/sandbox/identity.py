"""Identity verification: PortOne's API for the merchant, and the person who verifies, for tests and demos."""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import AfterValidator, Field

from local.sandbox.bodies import SandboxBody, read_body
from local.sandbox.clock import Clock, rfc3339
from local.sandbox.portone import PortOneError, PortOneMiddleware
from local.sandbox.settings import Settings


def _digits(phone_number: str) -> str:
    # PortOne returns phone numbers as digits only.
    digits = phone_number.replace("-", "")
    if not re.fullmatch(r"[0-9]{9,11}", digits):
        message = "must be 9 to 11 digits, hyphens allowed"
        raise ValueError(message)
    return digits


def _calendar_date(text: str) -> str:
    try:
        # fromisoformat also accepts forms such as 1990-W05-3.
        exact = date.fromisoformat(text).isoformat() == text
    except ValueError:
        exact = False
    if not exact:
        message = "must be a date, yyyy-MM-dd"
        raise ValueError(message)
    return text


class Person(SandboxBody):
    """The body of `POST /sandbox/identity-verifications`."""

    name: str = Field(min_length=1, max_length=100)
    phone_number: Annotated[str, AfterValidator(_digits)]
    birth_date: Annotated[str, AfterValidator(_calendar_date)]
    ci: str | None = Field(default=None, min_length=1, max_length=200)
    channel: Literal["LIVE", "TEST"] = "LIVE"
    verified_seconds_ago: int = Field(default=0, ge=0, le=86_400)


@dataclass(frozen=True)
class Verification:
    """A successful verification."""

    id: str
    person: Person
    ci: str
    di: str
    verified_at: datetime


def connecting_information(person: Person) -> str:
    """The person's CI: the given one, or one made from name, birth date and phone. 64 bytes in base64."""
    if person.ci is not None:
        return person.ci
    whole = f"{person.name}\n{person.birth_date}\n{person.phone_number}"
    return base64.b64encode(hashlib.sha512(whole.encode()).digest()).decode()


def duplication_information(ci: str, store_id: str) -> str:
    """The person's DI: like the CI, but different for each site. 64 characters, like real ones."""
    return base64.b64encode(hashlib.sha384(f"{store_id}\n{ci}".encode()).digest()).decode()


class IdentityVerifications:
    """All verifications."""

    def __init__(
        self, settings: Settings, middleware: PortOneMiddleware, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._settings = settings
        self._middleware = middleware
        self._clock = clock
        self._new_id = new_id
        self._verifications: dict[str, Verification] = {}

    def routes(self) -> list[web.RouteDef]:
        """PortOne's GET and the sandbox's POST."""
        return [
            web.post("/sandbox/identity-verifications", self._verify),
            web.get("/identity-verifications/{verification_id}", self._middleware(self._get)),
        ]

    async def _verify(self, request: web.Request) -> web.Response:
        person = await read_body(request, Person)
        ci = connecting_information(person)
        verification = Verification(
            id=f"identity-verification-{self._new_id()}",
            person=person,
            ci=ci,
            di=duplication_information(ci, self._settings.portone_store_id),
            verified_at=self._clock() - timedelta(seconds=person.verified_seconds_ago),
        )
        self._verifications[verification.id] = verification
        return web.json_response({"identityVerificationId": verification.id})

    async def _get(self, request: web.Request) -> dict[str, Any]:
        self._middleware.check_store(request.query.get("storeId"))
        verification = self._verifications.get(request.match_info["verification_id"])
        if verification is None:
            raise PortOneError(404, "IDENTITY_VERIFICATION_NOT_FOUND", "No such identity verification")
        at = rfc3339(verification.verified_at)
        return {
            "status": "VERIFIED",
            "id": verification.id,
            "channel": {"type": verification.person.channel, "pgProvider": "DANAL", "pgMerchantId": "sandbox"},
            "verifiedCustomer": {
                "name": verification.person.name,
                "birthDate": verification.person.birth_date,
                "phoneNumber": verification.person.phone_number,
                "ci": verification.ci,
                "di": verification.di,
            },
            "requestedAt": at,
            "updatedAt": at,
            "statusChangedAt": at,
            "verifiedAt": at,
            "pgTxId": f"pg-{verification.id}",
            "pgRawResponse": "{}",
            "version": "V2",
        }
