"""Runs each behaviour against the emulators: ours, in each way it starts functions, or with `--compare` all of them."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import pytest

from emulator.ports import free_port
from tests.conformance.page import cells, render, source_of
from tools.conformance.emulator_client import Address, EmulatorClient
from tools.conformance.emulators import EMULATORS, Emulator
from tools.conformance.emulators.ours import Ours
from tools.conformance.run_setup import HOST, ROOT, RunSetup, prepare

PAGE = ROOT / "docs" / "conformance.md"


class Unavailable:
    """No emulator: a test that passes here cannot fail."""

    title = "unavailable"

    def start(self, setup: RunSetup) -> EmulatorClient:
        nowhere = Address(HOST, free_port())
        return EmulatorClient(self.title, nowhere, nowhere, setup.recorder, has_triggers=False)

    def stop(self) -> None:
        """Nothing runs."""


Starts = Mapping[str, Callable[[], Emulator]]
WAYS: Starts = {"forked": Ours, "fresh": partial(Ours, fork=False), "http": partial(Ours, http=True)}
ALL: Starts = {**EMULATORS, **WAYS, "unavailable": Unavailable}
# Only ours has to answer as AWS does.
COMPARED = [pytest.param(name, marks=[pytest.mark.xfail] if name != "ours" else []) for name in EMULATORS]
MUST_FAIL = pytest.param("unavailable", marks=pytest.mark.xfail(strict=True))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--compare", action="store_true", help=f"run every emulator and the slow tests, and write {PAGE}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "client" in metafunc.fixturenames:
        slow = metafunc.definition.get_closest_marker("slow") is not None
        quick = [MUST_FAIL] if slow else [*WAYS, MUST_FAIL]
        metafunc.parametrize("client", COMPARED if _compares(metafunc.config) else quick, indirect=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    if isinstance(item, pytest.Function) and "client" in item.fixturenames:
        statement = " ".join((item.obj.__doc__ or "").split())
        source_of(statement)
        item.user_properties.append(("behaviour", (statement, item.callspec.params["client"])))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not _compares(config):
        return
    page = render(cells(terminalreporter.stats), {name: one.title for name, one in EMULATORS.items()})
    if config.option.keyword:
        terminalreporter.write(page)
    else:
        PAGE.write_text(page, encoding="utf-8")
        terminalreporter.write_line(f"wrote {PAGE}")


@pytest.fixture(scope="package")
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorClient]:
    """A running emulator with the functions of `tools/conformance/template.yaml`."""
    emulator = ALL[request.param]()
    with prepare(tmp_path_factory.mktemp("conformance")) as setup:
        try:
            yield emulator.start(setup)
        finally:
            emulator.stop()


def _compares(config: pytest.Config) -> bool:
    return bool(config.getoption("compare", False))  # unknown when pytest was started for all of tests/
