"""A process that is killed with its test: pytest's timeout interrupts a test once, but not a wait in its `finally`."""

import subprocess
from threading import Timer


class Child(subprocess.Popen[str]):
    """Popen whose `with` kills the process at the end, instead of waiting until it ends."""

    def __exit__(self, *error: object) -> None:
        self.kill()  # does nothing if it has ended
        super().__exit__(*error)  # type: ignore[arg-type]

    def line(self, text: str = "", seconds: float = 60) -> str:
        """The next line of output that contains `text`. Kills the process after `seconds`, which ends the read."""
        stream = self.stdout or self.stderr
        assert stream
        timer = Timer(seconds, self.kill)
        timer.start()
        try:
            found = next((line for line in stream if text in line), None)
        finally:
            timer.cancel()
        assert found is not None, f"it ended, or {seconds:g} s passed, before it printed {text or 'anything'}"
        return found
