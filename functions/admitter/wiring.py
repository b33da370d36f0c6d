"""The admitter's objects, built at their first use and kept for the execution environment."""

from functools import cache

from common.domain.clock import utc_now
from common.runtime.settings import Settings
from common.waitingroom.queue_keys import WAITER_GRACE_SECONDS
from common.waitingroom.sale_terms_writer import SaleTermsWriter
from common.wiring.internal_caller import internal_caller
from common.wiring.redis_client import redis_client
from functions.admitter.adapters.admission_redis import AdmissionRedis
from functions.admitter.adapters.clients.events_client import EventsClient
from functions.admitter.adapters.share_invoker import ShareInvoker
from functions.admitter.domain.admission import AdmissionPolicy
from functions.admitter.usecases.admission_run import AdmissionRun


class AdmitterSettings(Settings):
    reservation_token_seconds: int = 600
    waiter_grace_seconds: int = WAITER_GRACE_SECONDS
    admission_follows_seats: bool = False
    sale_terms_function: str


@cache
def admission_run() -> AdmissionRun:
    settings = AdmitterSettings.from_environment()
    policy = AdmissionPolicy(
        token_seconds=settings.reservation_token_seconds,
        grace_seconds=settings.waiter_grace_seconds,
        follow_seats=settings.admission_follows_seats,
    )
    return AdmissionRun(
        AdmissionRedis(redis_client(), policy),
        EventsClient(internal_caller(), settings.sale_terms_function),
        SaleTermsWriter(redis_client()),
        ShareInvoker().invoke,
        utc_now,
    )
