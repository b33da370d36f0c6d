"""How hypothesis is to look: any order is good, none is too slow, and what breaks is told with how to see it again."""

from hypothesis import HealthCheck, Phase, settings

RUN = settings(
    deadline=None,
    database=None,
    print_blob=True,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    stateful_step_count=40,
)
