"""What each function loads before its first event, held against a budget: `make budget` writes it anew.

Counted in modules and in bytes of Python source, which do not change with the machine's mood; milliseconds are
`make bench-init`'s. Our own modules are weighed but not counted: a file more is no matter, a library more is. Modules
that are always loaded together are a bundle in the file, so that its differences can be read.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tools" / "bench" / "init_budget.toml"
STEP = 50  # kB: what our own code may grow by unasked
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
# Forks wherever functions part, after it has imported what all of those that are left may load anyway.
_PROBE_ALL = f"""{_WATCH}
def aside(work):
    child = os.fork()
    if not child:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1]:
        os._exit(1)
def load_all(functions):  # the bundles that each may load and are not loaded yet, by its module
    shared = set.intersection(*map(set, functions.values()))
    for bundle in sorted(shared):
        for module in bundles[bundle]:
            try:
                __import__(module)
            except ImportError:
                pass  # no module by that name alone: what imports it makes it
    rest = {{module: set(left) - shared for module, left in functions.items()}}
    while rest:
        known = [bundle for left in rest.values() for bundle in left]
        if not known:
            for module in rest:
                aside(lambda: load(module))
            return
        most = max(sorted(set(known)), key=known.count)
        together = {{module: left for module, left in rest.items() if most in left}}
        aside(lambda: load_all(together))
        rest = {{module: left for module, left in rest.items() if module not in together}}
bundles, functions = json.load(sys.stdin)
load_all(functions)
"""


@dataclass(frozen=True)
class Module:
    size: int  # bytes of source; 0 where there is none to read
    importer: str  # the module that asked for it first


Loaded = Mapping[str, Module]  # by name


@dataclass(frozen=True)
class Budget:
    """What a function may load: these modules besides our own, and so much of everything."""

    modules: frozenset[str]
    kilobytes: int


def main() -> None:
    system, python = platform.system(), f"{sys.version_info.major}.{sys.version_info.minor}"
    if (system, python) != COUNTED_ON:
        raise SystemExit(f"the budget is counted on {' with Python '.join(COUNTED_ON)}, not on {system} with {python}")
    FILE.write_text(written(load_all()), encoding="utf-8")
    print(f"wrote {FILE.relative_to(ROOT)}; what changed is in git diff")


def handlers() -> dict[str, str]:
    """Module by function, of the whole template."""
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    found = re.findall(r"^  (\w+Function):\n(?:    .*\n)*?      Handler: ([\w.]+)\.handler$", text, re.MULTILINE)
    return dict(found)


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
        raise SystemExit(f"{module} cannot be imported:\n{done.stderr}")
    return _told(done.stdout)[module]


def over_budget(text: str, functions: Mapping[str, str]) -> dict[str, list[str]]:
    """What breaks the budget that is the file's `text`, a line each, by function; `functions` as `handlers` gives them.

    In a tenth of the time of `load_all`: what several functions may load is imported once, and their processes are
    forked from that. It is counted for all of them, loaded or not, so no overrun can hide behind it; who seems to be
    over budget is counted again in a fresh process.
    """
    budgets, bundles = read(text), tomllib.loads(text)
    wanted = {module: bundles["functions"][function]["bundles"] for function, module in functions.items()}
    foreign = json.dumps(sorted(_not_in_layer()))
    done = subprocess.run(
        [sys.executable, "-c", _PROBE_ALL, "", foreign],
        input=json.dumps([bundles["bundles"], wanted]),
        env=_environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"a function cannot be imported:\n{done.stderr}")
    loaded = _told(done.stdout)
    seem = {function: module for function, module in functions.items() if overrun(loaded[module], budgets[function])}
    over = {function: overrun(load(module, foreign), budgets[function]) for function, module in seem.items()}
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


def read(text: str) -> dict[str, Budget]:
    """The budget of each function, of the file's text."""
    content = tomllib.loads(text)
    bundles = {name: frozenset(modules) for name, modules in content["bundles"].items()}
    return {name: _budget(entry, bundles) for name, entry in content["functions"].items()}


def _budget(entry: Mapping[str, Any], bundles: Mapping[str, frozenset[str]]) -> Budget:
    return Budget(frozenset().union(*(bundles[name] for name in entry["bundles"])), entry["kilobytes"])


def overrun(loaded: Loaded, budget: Budget) -> list[str]:
    """What breaks the budget, a line each; none when it holds."""
    new = [name for name in loaded if not is_ours(name) and name not in budget.modules]
    lines = [f"{name} ({loaded[name].size / 1000:.0f} kB), by way of {_way(name, loaded)}" for name in new]
    weight = kilobytes(loaded)
    if weight > budget.kilobytes:
        heaviest = sorted((name for name in loaded if is_ours(name)), key=lambda name: -loaded[name].size)[:5]
        lines.append(f"{weight} kB of source instead of {budget.kilobytes}; of ours {', '.join(heaviest)} weigh most")
    return lines


def _way(name: str, loaded: Loaded) -> str:
    """Who imported it, back to the first of ours."""
    way: list[str] = []
    while name in loaded and loaded[name].importer not in ("", *way):
        name = loaded[name].importer
        way.append(name)
        if is_ours(name):
            break
    return " ← ".join(way) or "the handler"


def written(functions: Mapping[str, Loaded]) -> str:
    """The file's text."""
    users: defaultdict[str, list[str]] = defaultdict(list)
    for function, loaded in functions.items():
        for module in loaded:
            if not is_ours(module):
                users[module].append(function)
    together: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for module, by in users.items():
        together[tuple(by)].append(module)
    names = _bundle_names(together, len(functions))
    lines = [
        "# Written by `make budget`. What each function loads before its first event, besides our own modules.",
        "",
    ]
    lines.append("[functions]")
    for function, loaded in functions.items():
        bundles = [name for name, (by, _) in zip(names, together.items(), strict=True) if function in by]
        count = sum(not is_ours(module) for module in loaded)
        weight = -(-kilobytes(loaded) // STEP) * STEP
        lines.append(
            f"{function} = {{ modules = {count}, kilobytes = {weight}, bundles = {json.dumps(sorted(bundles))} }}"
        )
    lines += ["", "[bundles]"]
    for name, modules in sorted(zip(names, together.values(), strict=True)):
        lines += [f"{name} = [", *(f'  "{module}",' for module in sorted(modules)), "]"]
    return "\n".join(lines) + "\n"


def _bundle_names(bundles: Mapping[tuple[str, ...], list[str]], functions: int) -> list[str]:
    """Each after its most prominent package; a number sets those apart that would be called the same."""
    names: list[str] = []
    for by, modules in bundles.items():
        tops = [module.partition(".")[0] for module in modules]
        packages = sorted(set(tops) - sys.stdlib_module_names) or sorted(set(tops))
        name = "everywhere" if len(by) == functions else max(packages, key=tops.count).lstrip("_")
        count = sum(re.fullmatch(rf"{name}(_\d+)?", other) is not None for other in names)
        names.append(f"{name}_{count + 1}" if count else name)
    return names


if __name__ == "__main__":
    main()
