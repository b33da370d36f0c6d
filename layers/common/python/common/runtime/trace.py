"""The trace id of the work in hand, for those too deep to be handed it: the outbox, calls to other services, logs."""

from contextvars import ContextVar

trace_id: ContextVar[str] = ContextVar("trace_id", default="")
causation_id: ContextVar[str | None] = ContextVar("causation_id", default=None)  # the message being consumed, if any
