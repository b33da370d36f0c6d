"""The settings of every public endpoint."""

from functools import cache
from typing import Literal

from common.runtime.settings import Settings


class EndpointSettings(Settings):
    allowed_origins: str = ""  # comma-separated
    rate_limits: Literal["on", "users", "off"] = "off"  # "users": addresses are not counted
    bot_guard: Literal["on", "observe", "off"] = "off"
    authorizer: Literal["Jwt", "JwtCached"] = "Jwt"  # which of the template's is in force

    def allows(self, origin: str | None) -> bool:
        return bool(origin) and origin in self.allowed_origins.split(",")


@cache
def endpoint_settings() -> EndpointSettings:
    return EndpointSettings.from_environment()
