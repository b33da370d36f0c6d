# `python -c <this file> FOLDER NAME ARGUMENTS…` runs NAME.py of the folder without adding it to `sys.modules`.
import _frozen_importlib_external as files  # a new interpreter has it loaded
import sys

folder = sys.argv[1]


def load(name):  # type: ignore[no-untyped-def]
    """Returns what a file defines. Its bytecode is cached as usual."""
    namespace = {"__name__": f"_emulator_{name}", "load": load}
    exec(files.SourceFileLoader(name, f"{folder}/{name}.py").get_code(name), namespace)  # type: ignore[arg-type]  # noqa: S102
    return type(sys.implementation)(**namespace)  # types.SimpleNamespace, without importing types


load(sys.argv[2]).main(sys.argv[3:])  # type: ignore[no-untyped-call]
