"""A client of the API and the sandbox for one buyer. HTTP only: imports nothing of either."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx


class ApiError(Exception):
    """An error response of the API. `code` is its error code, `status` the HTTP status, `body` the whole body."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.body: dict[str, Any] = response.json() if response.content else {}
        self.code: str = self.body.get("code", "")
        super().__init__(f"{response.request.method} {response.request.url.path} → {self.status} {self.code}")


class Api:
    """JSON over HTTP. Raises `ApiError` unless the status is 2xx. Retries a 429 or 503 that has `Retry-After`."""

    TRIES = 4

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.client = httpx.Client(base_url=url, headers=headers, timeout=30)

    def __call__(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        for _ in range(self.TRIES):
            response = self.client.request(method, path, json=body, **options)
            if response.status_code not in (429, 503) or "retry-after" not in response.headers:
                break
            time.sleep(float(response.headers["retry-after"]))
        if not response.is_success:
            raise ApiError(response)
        return response.json() if response.content else None


def log_in(url: str, email: str, password: str) -> Api:
    tokens = Api(url)("POST", "/auth/login", {"email": email, "password": password, "captchaToken": "sandbox-human"})
    return Api(url, tokens["accessToken"])


def eventually(read: Callable[[], Any], wanted: Callable[[Any], bool], seconds: float = 15) -> Any:
    """Read until the value is the wanted one, and return it. Raises TimeoutError with the last value."""
    deadline = time.monotonic() + seconds
    while True:
        value = read()
        if wanted(value):
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s still {value}")
        time.sleep(0.05)


class Buyer:
    """One buyer, from registration to the ticket. Each step is a method, in order."""

    def __init__(self, api_url: str, sandbox_url: str) -> None:
        self.api_url = api_url
        self.sandbox = Api(sandbox_url)
        self.email = f"fan-{uuid4().hex[:12]}@example.com"
        self.password = f"seoul-{uuid4().hex[:12]}-1"
        self.api = Api(api_url)
        self.queue_token = ""
        self.payment_token = ""
        self.refresh_token = ""

    def register(self, **overrides: object) -> dict[str, Any]:
        person = {"name": "김하늘", "phoneNumber": "01012345678", "birthDate": "1999-05-01", "ci": uuid4().hex}
        verified = self.sandbox("POST", "/sandbox/identity-verifications", person)
        details = {
            "email": self.email,
            "password": self.password,
            "identityVerificationId": verified["identityVerificationId"],
            "captchaToken": "sandbox-human",
            "agreements": [
                {"code": code, "version": "2026-01", "agreed": True} for code in ("TERMS_OF_SERVICE", "PRIVACY")
            ],
        }
        made: dict[str, Any] = self.api("POST", "/auth/register", details | overrides)
        return made

    def login(self) -> None:
        tokens = Api(self.api_url)(
            "POST", "/auth/login", {"email": self.email, "password": self.password, "captchaToken": "sandbox-human"}
        )
        self.api, self.refresh_token = Api(self.api_url, tokens["accessToken"]), tokens["refreshToken"]

    def enter(self, event_id: str) -> dict[str, Any]:
        place: dict[str, Any] = self.api("POST", "/queue/enter", {"eventId": event_id})
        return place

    def wait_for_admission(self, event_id: str, seconds: float = 15) -> dict[str, Any]:
        place: dict[str, Any] = eventually(
            lambda: self.api("GET", "/queue/status", params={"eventId": event_id}),
            lambda place: place["status"] == "ADMITTED",
            seconds,
        )
        self.queue_token = place["token"]
        return place

    def seat_map(self, event_id: str) -> dict[str, Any]:
        seats: dict[str, Any] = self.api(
            "GET", f"/reservations/seats/{event_id}", headers={"X-Queue-Token": self.queue_token}
        )
        return seats

    def hold(self, event_id: str, seat_ids: list[str]) -> dict[str, Any]:
        body = {"eventId": event_id, "seatIds": seat_ids}
        held: dict[str, Any] = self.api("POST", "/reservations/hold", body, headers={"X-Queue-Token": self.queue_token})
        self.payment_token = held["paymentToken"]
        return held

    def create_payment(self, reservation_id: str, key: str | None = None) -> dict[str, Any]:
        body = {"reservationId": reservation_id, "paymentKey": key or uuid4().hex, "method": "CARD"}
        made: dict[str, Any] = self.api("POST", "/payments", body, headers={"X-Queue-Token": self.payment_token})
        return made

    def pay(self, payment_id: str, outcome: str, **more: object) -> dict[str, Any]:
        """What the buyer does in PortOne's window: AUTHORIZED, PAID or FAILED."""
        paid: dict[str, Any] = self.sandbox("POST", f"/sandbox/payments/{payment_id}/pay", {"outcome": outcome, **more})
        return paid

    def confirm(self, payment_id: str, portone_token: str | None = None) -> dict[str, Any]:
        body = {"paymentId": payment_id} | ({"portonePaymentToken": portone_token} if portone_token else {})
        confirmed: dict[str, Any] = self.api(
            "POST", "/payments/confirm", body, headers={"X-Queue-Token": self.payment_token}
        )
        return confirmed

    def reservation(self, reservation_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api("GET", f"/reservations/{reservation_id}")
        return found

    def wait_for_status(self, reservation_id: str, status: str, seconds: float = 15) -> dict[str, Any]:
        found: dict[str, Any] = eventually(
            lambda: self.reservation(reservation_id), lambda each: each["status"] == status, seconds
        )
        return found
