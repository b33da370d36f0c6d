"""Bounds on what an admin may write: they limit the size of a row, and keep amounts within an int32."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from common.domain.model import Moment, Text, VisibleText, Whole

Stripped = Annotated[Text, AfterValidator(str.strip)]
Label = Annotated[VisibleText, AfterValidator(str.strip), Field(min_length=1, max_length=200)]
Prose = Annotated[Stripped, Field(max_length=2000)]
Date = Annotated[Moment, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))]
Price = Annotated[Whole, Field(strict=True, ge=0, le=500_000_000)]  # won; four seats stay below 2³¹
Reason = Annotated[VisibleText, AfterValidator(str.strip), Field(min_length=1, max_length=500)]
