"""How hypothesis searches: no deadlines, no health checks, and a failure is printed with the blob that repeats it."""

from hypothesis import HealthCheck, Phase, settings

RUN = settings(
    deadline=None,
    database=None,
    print_blob=True,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    stateful_step_count=40,
)
