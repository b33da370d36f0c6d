"""Compares what each function loads before its first event with the rules of init_budget.toml: `make budget`.

Libraries are checked by name, and all source by its size, which does not depend on the machine's load (`make
bench-init` measures milliseconds). Our own modules count for the size only: one more file does not matter, one more
library does.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import distributions
from pathlib import Path

from tools.handlers import deployed_functions

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tools" / "bench" / "init_budget.toml"
OURS = ("common", "functions")
# What Lambda runs; the imports of the standard library depend on it.
COUNTED_ON = ("Linux", "3.13")
# In /var/runtime: https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
RUNTIME_PACKAGES = {
    "awslambdaric",
    "boto3",
    "botocore",
    "python-dateutil",
    "s3transfer",
    "six",
    "snapshot-restore-py",
    "urllib3",
}

_WATCH = """
import json, os, sys
bare, foreign, importers = set(sys.modules), set(json.loads(sys.argv[2])), {}
class Watch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in foreign:
            raise ModuleNotFoundError(name)  # installed here, but not in the layer
        frame = sys._getframe(1)
        while frame and frame.f_globals.get("__name__", "").startswith("importlib"):
            frame = frame.f_back
        importers.setdefault(name, frame.f_globals.get("__name__", "") if frame else "")
sys.meta_path.insert(0, Watch)
def size(module):
    file = getattr(getattr(module, "__spec__", None), "origin", None) or ""
    return os.path.getsize(file) if file.endswith(".py") else 0
def load(module):
    __import__(module)
    loaded = {name: [size(sys.modules[name]), importers.get(name, "")] for name in sys.modules if name not in bare}
    print(json.dumps([module, loaded]), flush=True)
"""
_PROBE = f"{_WATCH}\nload(sys.argv[1])"
# Imports what functions share, then forks once for each function.
_PROBE_ALL = f"""{_WATCH}
shared, functions = json.load(sys.stdin)
for module in shared:
    try:
        __import__(module)
    except ImportError:
        pass  # created by the module that imports it
for function in functions:
    child = os.fork()
    if not child:
        status = 1
        try:
            load(function)
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1]:
        os._exit(1)
"""


@dataclass(frozen=True)
class Module:
    size: int  # bytes of source; 0 without a source file
    importer: str  # the module that imported it first


Loaded = Mapping[str, Module]  # by name


@dataclass(frozen=True)
class Budget:
    """What one function may load: every known library except the forbidden ones, and `kilobytes` of source in total."""

    forbidden: frozenset[str]  # packages or modules, with everything in them
    known: frozenset[str]
    kilobytes: int


@dataclass(frozen=True)
class Rules:
    """The rules of the file. Functions are patterns: `Queue*` matches every name with this prefix."""

    free: frozenset[str]  # libraries that every function may load
    only: Mapping[str, tuple[str, ...]]  # library -> the functions that may load it
    never: Mapping[str, tuple[str, ...]]  # library -> the functions that may not
    groups: tuple[tuple[int, tuple[str, ...]], ...]  # kilobytes and functions; the first match counts
    kilobytes: int  # for all other functions

    def budget(self, function: str) -> Budget:
        forbidden = {library for library, functions in self.only.items() if not _matches(function, functions)}
        forbidden |= {library for library, functions in self.never.items() if _matches(function, functions)}
        sizes = (kilobytes for kilobytes, functions in self.groups if _matches(function, functions))
        known = frozenset(self.free | self.only.keys() | self.never.keys())
        return Budget(frozenset(forbidden), known, next(sizes, self.kilobytes))

    def patterns(self) -> set[str]:
        """All function patterns."""
        lists = [*self.only.values(), *self.never.values(), *(functions for _, functions in self.groups)]
        return {pattern for functions in lists for pattern in functions}


def read(text: str) -> Rules:
    """Parse the text of the file."""
    content = tomllib.loads(text)

    def functions(patterns: list[str]) -> tuple[str, ...]:
        parts = [content["names"][each[1:]] if each.startswith("@") else [each] for each in patterns]
        return tuple(pattern for part in parts for pattern in part)

    def libraries(table: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
        return {library: functions(patterns) for names, patterns in table.items() for library in names.split()}

    return Rules(
        frozenset(content["free"]),
        libraries(content["only"]),
        libraries(content["never"]),
        tuple((group["kilobytes"], functions(group["functions"])) for group in content["groups"]),
        content["kilobytes"],
    )


def _matches(function: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(function, pattern) for pattern in patterns)


def main() -> None:
    system, python = platform.system(), f"{sys.version_info.major}.{sys.version_info.minor}"
    if (system, python) != COUNTED_ON:
        raise SystemExit(f"the budget is for {' with Python '.join(COUNTED_ON)}, not for {system} with {python}")
    rules = read(FILE.read_text(encoding="utf-8"))
    rare = rules.only.keys() | rules.never.keys()
    print("| function | kB | budget | libraries that not every function loads |\n|---|---:|---:|---|")
    over: list[str] = []
    for function, loaded in load_all().items():
        budget = rules.budget(function)
        libraries = sorted({name for module in loaded if (name := _library(module, rare))})
        print(f"| {function} | {kilobytes(loaded)} | {budget.kilobytes} | {', '.join(libraries)} |")
        over += [f"{function}: {line}" for line in overrun(loaded, budget)]
    if over:
        raise SystemExit("\n".join(["", *over]))


def handlers() -> dict[str, str]:
    """Handler modules by function, of the whole template."""
    return {function.logical_id: function.module for function in deployed_functions()}


def load_all() -> dict[str, Loaded]:
    """What each function loads, each in a fresh process."""
    foreign = json.dumps(sorted(_not_in_layer()))
    functions = handlers()
    with ThreadPoolExecutor(os.cpu_count()) as processes:
        loaded = processes.map(lambda module: load(module, foreign), functions.values())
        return dict(zip(functions, loaded, strict=True))


def load(module: str, foreign: str = "[]") -> Loaded:
    """What importing `module` loads. `foreign`: top-level names, as JSON, to hide."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, module, foreign],
        env=_environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        raise SystemExit(f"{module} cannot be imported: {reason}")
    return _parsed(done.stdout)[module]


def over_budget(rules: Rules, functions: Mapping[str, str]) -> dict[str, list[str]]:
    """What breaks the rules, one sentence each, by function; `functions` as `handlers` returns them.

    Much faster than `load_all`: functions with the same budget are forked from a process that has imported what one of
    them loads. These imports count for all of them, so none is missed. A function that seems over budget is measured
    again in a fresh process.
    """
    foreign = json.dumps(sorted(_not_in_layer()))
    same_budget: defaultdict[Budget, dict[str, str]] = defaultdict(dict)
    for function, module in functions.items():
        same_budget[rules.budget(function)][function] = module
    with ThreadPoolExecutor(os.cpu_count()) as processes:
        counted = processes.map(lambda group: _over_budget(group[0], group[1], foreign), same_budget.items())
        return {function: lines for over in counted for function, lines in over.items()}


def _over_budget(budget: Budget, functions: Mapping[str, str], foreign: str) -> dict[str, list[str]]:
    first, *rest = functions.values()
    loaded = {first: load(first, foreign)}
    shared = [name for name in loaded[first] if not is_ours(name)]
    done = subprocess.run(
        [sys.executable, "-c", _PROBE_ALL, "", foreign],
        input=json.dumps([shared, rest]),
        env=_environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        for module in rest:  # to find the one that cannot be imported
            load(module, foreign)
        raise SystemExit(f"the functions cannot be imported in one process:\n{done.stderr}")
    loaded |= _parsed(done.stdout)
    suspects = [function for function, module in functions.items() if overrun(loaded[module], budget)]
    over = {function: overrun(load(functions[function], foreign), budget) for function in suspects}
    return {function: lines for function, lines in over.items() if lines}


def _parsed(printed: str) -> dict[str, Loaded]:
    """What each module loaded, from the output of a probe."""
    lines = [json.loads(line) for line in printed.splitlines()]
    return {
        module: {
            name: Module(*found)
            for name, found in loaded.items()
            if not name.startswith("_sysconfigdata")  # depends on the machine
        }
        for module, loaded in lines
    }


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers/common/python")]),
        "PYTHONPYCACHEPREFIX": str(ROOT / ".local/pycache"),  # halves the time of a second run
        "PYDANTIC_DISABLE_PLUGINS": "__all__",  # as in template.yaml
        "POWERTOOLS_SERVICE_NAME": "budget",
    }


def _not_in_layer() -> set[str]:
    """Top-level names of packages for development: some libraries load more if these are installed."""
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "layers/common/requirements.txt").read_text(encoding="utf-8"), re.M)
    shipped = {_normal(name) for name in locked} | RUNTIME_PACKAGES
    inside: set[str] = set()
    outside: set[str] = set()
    for distribution in distributions():
        tops = {
            Path(file.parts[0]).name.partition(".")[0] for file in distribution.files or () if file.parts[0] != ".."
        }
        (inside if _normal(distribution.metadata["Name"]) in shipped else outside).update(tops)
    return {name for name in outside - inside if name.isidentifier()}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def is_ours(module: str) -> bool:
    return module.partition(".")[0] in OURS


def kilobytes(loaded: Loaded) -> int:
    return -(-sum(module.size for module in loaded.values()) // 1000)


def overrun(loaded: Loaded, budget: Budget) -> list[str]:
    """What breaks the budget, one sentence each."""
    lines: list[str] = []
    reported: set[str] = set()
    for name, module in loaded.items():
        library = _library(name, budget.known)
        top = library or name.partition(".")[0]
        if is_ours(name) or top in reported or not module.importer:  # no importer: a library created it
            continue
        if library in budget.forbidden:
            how = (
                f"import it in the function that uses it, or if all starts need it, allow it in {FILE.name} ({library})"
            )
        elif library is None and top not in sys.stdlib_module_names:
            how = (
                f"import it in the function that uses it, or name the functions that may load it in {FILE.name}, [only]"
            )
        else:
            continue
        reported.add(top)
        size = sum(each.size for other, each in loaded.items() if _is_below(other, top))
        lines.append(f"{top} ({size / 1000:.0f} kB), imported by {_import_chain(name, loaded)}: {how}")
    total = kilobytes(loaded)
    if total > budget.kilobytes:
        largest = sorted((name for name in loaded if is_ours(name)), key=lambda name: -loaded[name].size)[:5]
        lines.append(
            f"{total} kB of source instead of {budget.kilobytes}: import later what not every start needs"
            f" (see `make budget`; our largest are {', '.join(largest)}), or raise its kilobytes in {FILE.name}"
        )
    return lines


def _library(module: str, names: Container[str]) -> str | None:
    """The longest of the names that is `module` or a package around it."""
    while module not in names:
        module, dot, _ = module.rpartition(".")
        if not dot:
            return None
    return module


def _is_below(module: str, name: str) -> bool:
    return module == name or module.startswith(f"{name}.")


def _import_chain(name: str, loaded: Loaded) -> str:
    """The modules that imported it, back to the first of ours."""
    chain: list[str] = []
    while name in loaded and loaded[name].importer not in ("", *chain):
        name = loaded[name].importer
        chain.append(name)
        if is_ours(name):
            break
    return " ← ".join(chain) or "the handler"


if __name__ == "__main__":
    main()
