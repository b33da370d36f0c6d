"""Settings: a function's environment variables from template.yaml, typed, read at first use and never at import."""

import os
from typing import Self

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A group of settings. The field `hold_seconds` is the variable `HOLD_SECONDS`; an error names a missing
    variable."""

    model_config = ConfigDict(alias_generator=str.upper, populate_by_name=True, frozen=True, extra="ignore")

    @classmethod
    def from_environment(cls) -> Self:
        return cls.model_validate(dict(os.environ))
