"""Modules that are imported before a function needs them, and hidden until it imports them.

A hidden module is not in `sys.modules`. When code imports it, it appears together with the modules that its own import
requested, which were recorded: what is visible is what a new process would have loaded.
"""

import builtins
import os
import sys

TYPE_CHECKING = False  # typing would be imported before anything is recorded
if TYPE_CHECKING:
    from typing import Any

VISIBLE = frozenset(sys.modules)  # what a new interpreter has loaded
_visible_globals = frozenset(id(vars(sys.modules[name])) for name in VISIBLE)

_bootstrap: "Any" = sys.modules["_frozen_importlib"]
_import, _gcd_import, _Environ = builtins.__import__, _bootstrap._gcd_import, os.environ.__class__

hidden: "dict[str, Any]" = {}
preloaded: set[str] = set()  # names, hidden or not
requested: dict[str, dict[str, None]] = {}  # module -> what its import requested
reads: dict[str, dict[str, str | None]] = {}  # module -> environment variables read by its import, and their values
sizes: dict[str, int] = {}  # bytes that a module's import added to the process
_hooks: "dict[str, list[Any]]" = {}  # hidden module -> what its import had added to `sys.meta_path`
_plain_meta_path = list(sys.meta_path)
_attributed: set[str] = set(sys.modules)
_counted = [0]
_importing: list[str] = []
_attributes: set[str] = set()  # hidden submodules that were attributes of their packages


def start_recording() -> None:
    """Records imports until `stop_recording`."""
    builtins.__import__ = _recording_import
    _bootstrap._gcd_import = _recording_gcd_import
    os.environ.__class__ = _RecordingEnviron


def stop_recording() -> None:
    """Undoes `start_recording`."""
    builtins.__import__ = _import
    _bootstrap._gcd_import = _gcd_import
    os.environ.__class__ = _Environ


def load(name: str) -> None:
    """Imports a module. Not by importlib: it may be hidden, and its functions fail then."""
    _bootstrap._gcd_import(name)


def hide() -> None:
    """Hides all modules imported since the start."""
    for name in [name for name in sys.modules if name not in VISIBLE and name != "runtime_client"]:
        module = hidden[name] = sys.modules.pop(name)
        preloaded.add(name)
        package, _, tail = name.rpartition(".")
        parent = sys.modules.get(package) or hidden.get(package)
        if parent is not None and vars(parent).get(tail) is module:
            delattr(parent, tail)
            _attributes.add(name)
    for hook in [hook for hook in sys.meta_path if hook not in _plain_meta_path and hook is not Revealer]:
        sys.meta_path.remove(hook)
        name = getattr(hook, "__module__", type(hook).__module__)
        _hooks.setdefault(name, []).append(hook)


def reveal(name: str) -> None:
    """Makes a hidden module visible, with the modules that its import loaded."""
    names = [name]
    while names:
        name = names.pop()
        module = hidden.pop(name, None)
        if module is None:
            continue
        sys.modules[name] = module
        sys.meta_path.extend(_hooks.pop(name, ()))
        if name in _attributes:
            package, _, tail = name.rpartition(".")
            parent = sys.modules.get(package) or hidden.get(package)
            if parent is not None:
                setattr(parent, tail, module)
        names.extend(requested.get(name, ()))


def stale(environment: dict[str, str]) -> set[str]:
    """Modules to import again: they, or modules they import, read a value that differs in `environment`."""
    found = {
        name
        for name, variables in reads.items()
        if any(key == "*" or environment.get(key) != value for key, value in variables.items())
    } & preloaded
    grown = True
    while grown:
        more = {name for name in preloaded - found if not found.isdisjoint(requested.get(name, ()))}
        grown = bool(more)
        found |= more
    return found


def forget(names: set[str]) -> None:
    """Makes the next import of these hidden modules a real one."""
    for name in names:
        hidden.pop(name, None)
        preloaded.discard(name)


class Revealer:
    """Finds hidden modules; the first entry of `sys.meta_path`."""

    @staticmethod
    def find_spec(name: str, _path: "Any" = None, _target: "Any" = None) -> "Any":
        """A spec that reveals the module if it is hidden."""
        if name not in hidden:
            return None
        return _bootstrap.ModuleSpec(name, _RevealLoader(hidden[name]))


class _RevealLoader:
    """A loader that reveals a module instead of loading it."""

    def __init__(self, module: "Any") -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, _spec: "Any") -> "Any":
        return self._module

    def exec_module(self, module: "Any") -> None:
        module.__spec__ = self._spec  # the import system has just replaced it
        name = self._spec.name
        hidden.setdefault(name, module)
        reveal(name)


def _recording_import(
    name: str, globals: "Any" = None, locals: "Any" = None, fromlist: "Any" = (), level: int = 0
) -> "Any":  # the signature of `__import__`
    if level:
        package = (globals.get("__package__") or globals["__name__"].rpartition(".")[0]).rsplit(".", level - 1)[0]
        absolute = f"{package}.{name}" if name else package
    else:
        absolute = name
    _importing.append(absolute)
    try:
        module = _import(name, globals, locals, fromlist, level)
    finally:
        _importing.pop()
    _record(sys._getframe(1), absolute, fromlist or ())
    return module


def _recording_gcd_import(name: str, package: str | None = None, level: int = 0) -> "Any":
    _importing.append(name)
    try:
        module = _gcd_import(name, package, level)  # importlib.import_module
    finally:
        _importing.pop()
    _record(sys._getframe(1), module.__name__, ())
    return module


def _record(frame: "Any", name: str, fromlist: "Any") -> None:
    """Records who imports: the module whose body runs, and the one being imported, which may have no Python code."""
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    found: dict[str, None] = {}
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        found[".".join(parts[:end])] = None
    module = sys.modules.get(name)
    for item in fromlist:
        if f"{name}.{item}" in sys.modules:
            found[f"{name}.{item}"] = None
        # What a package re-exports from another module, perhaps by a `__getattr__` that imports it on first use.
        source = None if item == "*" else getattr(getattr(module, item, None), "__module__", None)
        if isinstance(source, str) and source in sys.modules:
            found[source] = None
    if len(sys.modules) != _counted[0]:  # what no import requested: extension modules make some modules themselves
        new = sys.modules.keys() - _attributed
        found.update(dict.fromkeys(new))
        _attributed.update(new)
        _counted[0] = len(sys.modules)
    for importer in {frame and frame.f_globals.get("__name__"), _importing[-1] if _importing else None} - {None}:
        requested.setdefault(importer, {}).update(found)


class _RecordingEnviron(_Environ):  # type: ignore[valid-type,misc]
    def __getitem__(self, key: str) -> str:
        try:
            value = super().__getitem__(key)
        except KeyError:
            self._read(key, None)
            raise
        self._read(key, value)
        return str(value)

    def __iter__(self) -> "Any":
        self._read("*", None)
        return super().__iter__()

    def _read(self, key: str, value: str | None) -> None:
        # The module being imported, and each module on the call stack: it may keep what was read.
        frame = sys._getframe(2)
        while frame is not None:
            if id(frame.f_globals) not in _visible_globals:
                reads.setdefault(frame.f_globals.get("__name__", ""), {})[key] = value
            if frame.f_code.co_name == "<module>":
                return
            frame = frame.f_back  # type: ignore[assignment]
