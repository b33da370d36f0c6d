"""The trace id of the current request or message, for code that gets no parameter for it: the outbox, calls to other
services, logs."""

from contextvars import ContextVar

trace_id: ContextVar[str] = ContextVar("trace_id", default="")
causation_id: ContextVar[str | None] = ContextVar("causation_id", default=None)  # the message being consumed, if any
