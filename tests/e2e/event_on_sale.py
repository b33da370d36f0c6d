"""An event on sale of a test's own: eight VIP seats."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tools.demo.buyer import Api


def put_on_sale(admin: Api) -> dict[str, Any]:
    """The event as `POST /events` answers it."""
    venue = admin("POST", "/venues", {"name": "올림픽공원", "address": "송파구 올림픽로 424", "city": "서울"})
    template = {"sections": [{"name": "A", "grade": "VIP", "rows": 2, "seatsPerRow": 4}]}
    hall = admin("POST", f"/venues/{venue['id']}/halls", {"name": "KSPO DOME", "seatTemplate": template})
    assert hall["capacity"] == 8
    now = datetime.now(UTC)
    made: dict[str, Any] = admin(
        "POST",
        "/events",
        {
            "title": f"투어 {uuid4().hex[:6]}",
            "artist": "하늘",
            "venueId": venue["id"],
            "hallId": hall["id"],
            "startsAt": rfc3339(now + timedelta(days=30)),
            "endsAt": rfc3339(now + timedelta(days=30, hours=3)),
            "saleStartsAt": rfc3339(now - timedelta(minutes=1)),
            "saleEndsAt": rfc3339(now + timedelta(days=1)),
            "prices": {"VIP": 150_000},
        },
    )
    assert made["seatCount"] == 8
    return made


def rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
