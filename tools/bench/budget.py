"""What each function loads before its first event, held against the rules of init_budget.toml: `make budget`.

Libraries are judged by name, and all source by its bytes, which do not change with the machine's load; milliseconds are
`make bench-init`'s. Our own modules are weighed and not judged: one more file does not matter, one more library does.
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
# What Lambda runs, and what the standard library's own imports depend on.
COUNTED_ON = ("Linux", "3.13")
# In /var/runtime: https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
OF_THE_RUNTIME = {
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
# Imports what functions share, then forks for each.
_PROBE_ALL = f"""{_WATCH}
shared, functions = json.load(sys.stdin)
for module in shared:
    try:
        __import__(module)
    except ImportError:
        pass  # no module by that name alone: what imports it makes it
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
    size: int  # bytes of source; 0 where there is none to read
    importer: str  # the module that asked for it first


Loaded = Mapping[str, Module]  # by name


@dataclass(frozen=True)
class Budget:
    """What one function may load: any known library but the forbidden ones, and so much source of everything."""

    forbidden: frozenset[str]  # a package or a module, with all below it
    known: frozenset[str]
    kilobytes: int


@dataclass(frozen=True)
class Rules:
    """The file. Functions are patterns: `Queue*` is every function whose name begins so."""

    free: frozenset[str]  # libraries of every function
    only: Mapping[str, tuple[str, ...]]  # library -> the functions that may load it
    never: Mapping[str, tuple[str, ...]]  # library -> the functions that may not
    groups: tuple[tuple[int, tuple[str, ...]], ...]  # kilobytes and whose; the first that names a function counts
    kilobytes: int  # of all others

    def budget(self, function: str) -> Budget:
        forbidden = {library for library, functions in self.only.items() if not _is_among(function, functions)}
        forbidden |= {library for library, functions in self.never.items() if _is_among(function, functions)}
        weights = (kilobytes for kilobytes, functions in self.groups if _is_among(function, functions))
        known = frozenset(self.free | self.only.keys() | self.never.keys())
        return Budget(frozenset(forbidden), known, next(weights, self.kilobytes))

    def patterns(self) -> set[str]:
        """Of functions, all of them."""
        lists = [*self.only.values(), *self.never.values(), *(functions for _, functions in self.groups)]
        return {pattern for functions in lists for pattern in functions}


def read(text: str) -> Rules:
    """The rules of the file's text."""
    content = tomllib.loads(text)

    def functions(patterns: list[str]) -> tuple[str, ...]:
        parts = [content["names"][each[1:]] if each.startswith("@") else [each] for each in patterns]
        return tuple(pattern for part in parts for pattern in part)

    def libraries(table: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
        return {library: functions(who) for names, who in table.items() for library in names.split()}

    return Rules(
        frozenset(content["free"]),
        libraries(content["only"]),
        libraries(content["never"]),
        tuple((group["kilobytes"], functions(group["functions"])) for group in content["groups"]),
        content["kilobytes"],
    )


def _is_among(function: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(function, pattern) for pattern in patterns)


def main() -> None:
    system, python = platform.system(), f"{sys.version_info.major}.{sys.version_info.minor}"
    if (system, python) != COUNTED_ON:
        raise SystemExit(f"the budget is for {' with Python '.join(COUNTED_ON)}, not for {system} with {python}")
    rules = read(FILE.read_text(encoding="utf-8"))
    rare = rules.only.keys() | rules.never.keys()
    print("| function | kB | of | libraries not every function loads |\n|---|---:|---:|---|")
    over: list[str] = []
    for function, loaded in load_all().items():
        budget = rules.budget(function)
        libraries = sorted({name for module in loaded if (name := _library(module, rare))})
        print(f"| {function} | {kilobytes(loaded)} | {budget.kilobytes} | {', '.join(libraries)} |")
        over += [f"{function}: {line}" for line in overrun(loaded, budget)]
    if over:
        raise SystemExit("\n".join(["", *over]))


def handlers() -> dict[str, str]:
    """Module by function, of the whole template."""
    return {function.logical_id: function.module for function in deployed_functions()}


def load_all() -> dict[str, Loaded]:
    """What each function loads, each in a fresh process."""
    foreign = json.dumps(sorted(_not_in_layer()))
    functions = handlers()
    with ThreadPoolExecutor(os.cpu_count()) as processes:
        loaded = processes.map(lambda module: load(module, foreign), functions.values())
        return dict(zip(functions, loaded, strict=True))


def load(module: str, foreign: str = "[]") -> Loaded:
    """What importing `module` loads. `foreign`: top-level names, as JSON, that are to be missing."""
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
    return _told(done.stdout)[module]


def over_budget(rules: Rules, functions: Mapping[str, str]) -> dict[str, list[str]]:
    """What breaks the rules, a sentence each, by function; `functions` as `handlers` gives them.

    In a fraction of the time of `load_all`: functions with the same budget are forked from a process that has imported
    what one of them loads. That counts for all of them, loaded or not, so nothing can hide behind it; a function that
    seems to be over budget is counted again in a fresh process.
    """
    foreign = json.dumps(sorted(_not_in_layer()))
    alike: defaultdict[Budget, dict[str, str]] = defaultdict(dict)
    for function, module in functions.items():
        alike[rules.budget(function)][function] = module
    with ThreadPoolExecutor(os.cpu_count()) as processes:
        counted = processes.map(lambda group: _over_budget(group[0], group[1], foreign), alike.items())
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
        for module in rest:  # to name the one that cannot be imported
            load(module, foreign)
        raise SystemExit(f"functions cannot be imported together:\n{done.stderr}")
    loaded |= _told(done.stdout)
    seem = [function for function, module in functions.items() if overrun(loaded[module], budget)]
    over = {function: overrun(load(functions[function], foreign), budget) for function in seem}
    return {function: lines for function, lines in over.items() if lines}


def _told(printed: str) -> dict[str, Loaded]:
    """What each module loaded, of what a probe printed."""
    lines = [json.loads(line) for line in printed.splitlines()]
    return {
        module: {
            name: Module(*found)
            for name, found in loaded.items()
            if not name.startswith("_sysconfigdata")  # the machine's
        }
        for module, loaded in lines
    }


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers/common/python")]),
        "PYTHONPYCACHEPREFIX": str(ROOT / ".local/pycache"),  # a second time in half the time
        "PYDANTIC_DISABLE_PLUGINS": "__all__",  # as template.yaml has it
        "POWERTOOLS_SERVICE_NAME": "budget",
    }


def _not_in_layer() -> set[str]:
    """Top-level names of what is installed for development only: some libraries load more when they find them."""
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "layers/common/requirements.txt").read_text(encoding="utf-8"), re.M)
    shipped = {_normal(name) for name in locked} | OF_THE_RUNTIME
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
    """What breaks the budget, a sentence each; none when it holds."""
    lines: list[str] = []
    judged: set[str] = set()
    for name, module in loaded.items():
        library = _library(name, budget.known)
        top = library or name.partition(".")[0]
        if is_ours(name) or top in judged or not module.importer:  # a library made it itself: nothing imported it
            continue
        if library in budget.forbidden:
            how = (
                f"import it in the function that uses it, or if every start needs it, let it in {FILE.name} ({library})"
            )
        elif library is None and top not in sys.stdlib_module_names:
            how = (
                f"import it in the function that uses it, or name the functions that may load it in {FILE.name}, [only]"
            )
        else:
            continue
        judged.add(top)
        size = sum(each.size for other, each in loaded.items() if _is_below(other, top))
        lines.append(f"{top} ({size / 1000:.0f} kB), by way of {_way(name, loaded)}: {how}")
    weight = kilobytes(loaded)
    if weight > budget.kilobytes:
        heaviest = sorted((name for name in loaded if is_ours(name)), key=lambda name: -loaded[name].size)[:5]
        lines.append(
            f"{weight} kB of source instead of {budget.kilobytes}: import later what not every start needs"
            f" (see `make budget`; of ours {', '.join(heaviest)} weigh most), or raise its kilobytes in {FILE.name}"
        )
    return lines


def _library(module: str, names: Container[str]) -> str | None:
    """The longest of the names that `module` is or is below of."""
    while module not in names:
        module, dot, _ = module.rpartition(".")
        if not dot:
            return None
    return module


def _is_below(module: str, name: str) -> bool:
    return module == name or module.startswith(f"{name}.")


def _way(name: str, loaded: Loaded) -> str:
    """Who imported it, back to the first of ours."""
    way: list[str] = []
    while name in loaded and loaded[name].importer not in ("", *way):
        name = loaded[name].importer
        way.append(name)
        if is_ours(name):
            break
    return " ← ".join(way) or "the handler"


if __name__ == "__main__":
    main()
