"""The share of processor time taken by other machines of the host: deadlines missed for that are not a bug."""

from pathlib import Path

STAT = Path("/proc/stat")
USER, STEAL, GUEST = 1, 8, 9  # columns of the line "cpu" (proc_stat(5)); guest time is counted in user time already


class ProcessorSteal:
    """Counted since `begin`; 0 on a system that does not report it."""

    def __init__(self, stat: Path = STAT) -> None:
        self._stat = stat
        self.begin()

    def begin(self) -> None:
        self._stolen, self._all = self._read()

    def share(self) -> float:
        stolen, everything = self._read()
        return (stolen - self._stolen) / max(1, everything - self._all)

    def _read(self) -> tuple[int, int]:
        """In ticks, of all processors."""
        try:
            columns = self._stat.read_text(encoding="ascii").split("\n", 1)[0].split()
        except OSError:
            return 0, 0
        return int(columns[STEAL]), sum(map(int, columns[USER:GUEST]))
