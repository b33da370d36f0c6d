"""The pause between two reads of the outbox: none while there are messages, longer and longer while there are none."""

FIRST_PAUSE = 0.005  # seconds


class PollBackoff:
    """The pause after each pass. Reaches `longest` within a second after the last message."""

    def __init__(self, longest: float) -> None:
        self.longest = longest
        self._pause = 0.0

    def after(self, published: int) -> float:
        """Seconds to wait after a pass that published so many messages."""
        self._pause = 0.0 if published else min(self.longest, max(FIRST_PAUSE, self._pause * 2))
        return self._pause
