"""Times as people would send them: schemathesis takes every year from 1 to 9999 for equally likely."""

from datetime import datetime, timedelta, timezone

import schemathesis
from hypothesis import strategies as st


def register_moments() -> None:
    offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
    moments = st.datetimes(datetime(2000, 1, 2), datetime(2199, 12, 30), timezones=offsets)
    schemathesis.openapi.format("date-time", moments.map(datetime.isoformat))
