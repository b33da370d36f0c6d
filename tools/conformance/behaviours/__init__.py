"""The catalogue, area by area, in the order of the table."""

from tools.conformance.behaviour import REGISTERED
from tools.conformance.behaviours import authorizers, environments, gateway, invocations, proxy_events, triggers

_AREAS = (proxy_events, authorizers, gateway, invocations, environments, triggers)

CATALOGUE = tuple(one for area in _AREAS for one in REGISTERED if one.check.__module__ == area.__name__)
