"""Realistic date-times. By default, schemathesis makes every year from 1 to 9999 equally likely."""

from datetime import datetime, timedelta, timezone

import schemathesis
from hypothesis import strategies as st


def register_date_times() -> None:
    offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
    date_times = st.datetimes(datetime(2000, 1, 2), datetime(2199, 12, 30), timezones=offsets)
    schemathesis.openapi.format("date-time", date_times.map(datetime.isoformat))
