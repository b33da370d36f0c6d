"""How often to look: a busy outbox without pause, an idle one ever less often."""

FIRST_PAUSE = 0.005  # seconds


class Pace:
    """The pause after each pass. Reaches `longest` within a second of the last record."""

    def __init__(self, longest: float) -> None:
        self.longest = longest
        self._pause = 0.0

    def after(self, published: int) -> float:
        """Seconds to wait now."""
        self._pause = 0.0 if published else min(self.longest, max(FIRST_PAUSE, self._pause * 2))
        return self._pause
