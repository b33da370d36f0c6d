"""A copy of the code to plant faults in: this working tree's files, or those of a commit."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[3]


def copy(commit: str | None, into: Path) -> str:
    """Copy the files of `commit`, or of the working tree (without ignored ones). Returns its name.

    The copy uses this checkout's `.venv`.
    """
    if commit is None:
        _copy_working_tree(into)
        changed = " with changes" if _git("status", "--porcelain") else ""
        name = _git("rev-parse", "--short", "HEAD").decode().strip() + changed
    else:
        name = _git("rev-parse", "--short", f"{commit}^{{commit}}").decode().strip()
        with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", commit))) as archive:
            archive.extractall(into, filter="data")
    (into / ".venv").symlink_to(ROOT / ".venv")
    return name


def _copy_working_tree(into: Path) -> None:
    for name in _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, into / name)


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)  # noqa: S607
    if done.returncode:
        raise SystemExit(f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
