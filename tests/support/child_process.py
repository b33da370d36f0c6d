"""A process that a test starts and no wait outlives: pytest's timeout ends a test once, and not its `finally`."""

import subprocess
from threading import Timer


class Child(subprocess.Popen[str]):
    """Popen, whose `with` kills the process at its end; Popen's own waits for as long as it runs."""

    def __exit__(self, *error: object) -> None:
        self.kill()  # nothing where it has ended
        super().__exit__(*error)  # type: ignore[arg-type]

    def line(self, words: str = "", seconds: float = 60) -> str:
        """The next line of its output that has the words. Kills it when the time is up: that ends the reading."""
        stream = self.stdout or self.stderr
        assert stream
        late = Timer(seconds, self.kill)
        late.start()
        try:
            found = next((line for line in stream if words in line), None)
        finally:
            late.cancel()
        assert found is not None, f"it ended, or {seconds:g} s were over, before it said {words or 'anything'}"
        return found
