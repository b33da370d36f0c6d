"""Retiring accounts."""

from datetime import timedelta
from functools import cache

from common.domain.clock import utc_now
from common.runtime.settings import Settings
from common.wiring.database import database
from functions.auth.adapters.retirement_repository import RetirementRepository
from functions.auth.usecases.retirement import Retirement, RetirementTerms


class RetirementSettings(Settings):
    withdrawn_retention_days: int = 30
    dormant_after_days: int = 365


@cache
def retirement() -> Retirement:
    settings = RetirementSettings.from_environment()
    terms = RetirementTerms(
        withdrawn_kept=timedelta(days=settings.withdrawn_retention_days),
        dormant_after=timedelta(days=settings.dormant_after_days),
    )
    return Retirement(database(), RetirementRepository(), utc_now, terms)
