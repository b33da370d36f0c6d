"""The page that compares the emulators."""

from types import SimpleNamespace

import pytest

from tests.conformance.page import cells, render
from tools.conformance.run_setup import CannotStart

FILE = "tests/conformance/test_gateway.py"


def _report(emulator: str, error: pytest.ExceptionInfo[BaseException] | None = None) -> SimpleNamespace:
    return SimpleNamespace(
        location=(FILE, 7, "test_a"),
        user_properties=[("behaviour", ("a | b ([proxy])", emulator))],
        longrepr=error and error.getrepr(),
    )


def test_page_shows_what_each_emulator_answered() -> None:
    with pytest.raises(AssertionError) as wrong:
        assert [404] == [200], "404 <html> | not found"
    with pytest.raises(CannotStart) as absent:
        raise CannotStart("no engine")
    stats = {
        "passed": [_report("ours")],
        "xfailed": [_report("wrong", wrong), _report("absent", absent)],
        "skipped": [_report("without")],
    }
    page = render(cells(stats), {name: name.upper() for name in ("ours", "wrong", "absent", "without")})
    assert "| AWS documents | OURS | WRONG | ABSENT | WITHOUT |" in page
    row = r"| a \| b ([proxy]) | ✓ | ✗ 404 &lt;html> \| not found | did not start: no engine | – |"
    assert row in page.splitlines()
    assert "| WRONG | 0 | 1 | 0 |\n| ABSENT | 0 | 0 | 0 |\n| WITHOUT | 0 | 0 | 1 |" in page
    assert "[proxy]: https://docs.aws.amazon.com/apigateway/" in page


def test_page_lists_the_behaviours_of_an_area_in_the_order_of_their_file() -> None:
    first, second = _report("ours"), _report("ours")
    first.location, first.user_properties = (FILE, 3, ""), [("behaviour", ("z ([cors])", "ours"))]
    page = render(cells({"passed": [second, first]}), {"ours": "ours"})
    assert page.index("| z ([cors]) |") < page.index(r"| a \| b ([proxy]) |")
