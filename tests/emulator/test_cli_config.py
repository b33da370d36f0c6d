"""emulator.toml and the flags that override it."""

from pathlib import Path

import pytest

from emulator import config
from emulator.cli import _join_overrides
from emulator.options import Options, parse_parameters, parse_ports
from emulator.stack import StackError


def write(folder: Path, text: str) -> Path:
    (folder / "emulator.toml").write_text(text)
    return folder


def test_an_empty_file_means_the_default_template_and_nothing_else(tmp_path: Path) -> None:
    loaded = config.load(write(tmp_path, ""))

    assert (loaded.template, loaded.port) == (tmp_path / "template.yaml", 3000)
    assert [*loaded.services, *loaded.steps, *loaded.processes, *loaded.after, loaded.next] == [""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 3000", "there is no prot"),
        ('port = "3000"', "port must be int"),
        ('preload = "httpx"', "preload must be list"),
        ("preload = [1]", r"preload must be a list of names, not \[1\]"),
        ("[[steps]]\nname = 'a'", r"steps\[0\]: command is missing"),
        ("[[processes]]\nname = 'a'\ncommand = ['b']\nlog = 'x'", r"processes\[0\]: there is no log"),
        ("[[processes]]\nname = 'redis'\ncommand = ['b']\n[services]\nredis = {}", "the process redis is taken"),
        ("[next]\ntxt = 'x'", "next: there is no txt"),
        ("port = ", "emulator.toml"),
    ],
)
def test_an_invalid_setting_is_reported_by_name(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=message):
        config.load(write(tmp_path, text))


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"emulator\.toml does not exist"):
        config.load(tmp_path)


def test_placeholders_are_filled_and_an_unknown_one_is_reported_with_the_known_ones() -> None:
    assert config.fill("${redis.url}?a=${b}", {"redis.url": "redis://x", "b": "1"}) == "redis://x?a=1"
    with pytest.raises(StackError, match=r"\$\{rediss\.url\} is not known; there is b, redis\.url"):
        config.fill("${rediss.url}", {"redis.url": "x", "b": "1"})


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["HoldSeconds=5"], {"HoldSeconds": "5"}),
        (["A=1 B=2"], {"A": "1", "B": "2"}),
        (["A=1", 'B="x y"'], {"A": "1", "B": "x y"}),
        (["ParameterKey=A,ParameterValue=1 ParameterKey=B,ParameterValue=2"], {"A": "1", "B": "2"}),
        (["A=x=y"], {"A": "x=y"}),
        (["A="], {"A": ""}),
    ],
)
def test_parameter_overrides_are_read_as_sam_reads_them(words: list[str], expected: dict[str, str]) -> None:
    assert parse_parameters(words) == expected


@pytest.mark.parametrize("word", ["HoldSeconds", "=5", "ParameterKey=A", 'A="x'])
def test_a_parameter_override_without_a_name_or_value_is_rejected(word: str) -> None:
    with pytest.raises(StackError, match="--parameter-overrides"):
        parse_parameters([word])


def test_the_flag_takes_several_words_up_to_the_next_flag() -> None:
    words = ["up", "--parameter-overrides", "A=1", "B=2", "--port", "3100"]

    assert _join_overrides(words) == [
        *("up", "--parameter-overrides", "A=1", "--parameter-overrides", "B=2", "--port", "3100")
    ]


def test_process_ports_are_names_and_numbers() -> None:
    assert parse_ports(["sandbox=3101"]) == {"sandbox": 3101}
    with pytest.raises(StackError, match="--process-port"):
        parse_ports(["sandbox"])


def test_options_reach_the_daemon_unchanged(tmp_path: Path) -> None:
    options = Options(tmp_path, tmp_path / ".local", 3100, {"sandbox": 3101}, {"A": "ü"})

    assert Options.from_json(options.to_json()) == options
