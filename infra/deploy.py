"""Runs `sam deploy` on the output of `make build`, with samconfig.toml's parameters of a stage and overrides.

make deploy STAGE=prod SET="HoldSeconds=240 BotGuard=observe"

(Passed to SAM itself, overrides would replace the whole list.)
"""

import hashlib
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SAM = ROOT / ".sam-venv" / "bin" / "sam"
BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"
CONFIG = ROOT / "samconfig.toml"


def with_settings(built: Path, parameters: Mapping[str, str]) -> Path:
    """Writes a copy of the built template, in which functions with an alias get a new version when a parameter changes.

    Such a function is only called in the version of its alias. SAM publishes a version when the function's properties
    change, but a parameter there is `Ref: HoldSeconds` with any value: without this, new settings would have no effect.
    """
    template = yaml.safe_load(built.read_text(encoding="utf-8"))
    declared = template.get("Parameters", {}).items()
    defaults = {name: str(body["Default"]) for name, body in declared if "Default" in body}
    digest = hashlib.sha256(repr(sorted({**defaults, **parameters}.items())).encode()).hexdigest()[:12]
    for resource in template["Resources"].values():
        if "AutoPublishAlias" in resource.get("Properties", {}):
            environment = resource["Properties"].setdefault("Environment", {})
            environment.setdefault("Variables", {})["SETTINGS"] = digest
    path = built.with_name("settings.yaml")
    path.write_text(yaml.safe_dump(template), encoding="utf-8")
    return path


def settings(stage: str) -> dict[str, str]:
    """The parameters of a stage in samconfig.toml."""
    config = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    return pairs(config[stage]["deploy"]["parameters"]["parameter_overrides"])


def pairs(words: list[str]) -> dict[str, str]:
    """`["A=1", "B=2"]` as a mapping."""
    return dict(word.split("=", 1) for word in words)


def with_preflight_origin(parameters: dict[str, str]) -> dict[str, str]:
    """A preflight allows the one front end, or any if there are several (ADR 0107)."""
    return {"PreflightOrigin": "*" if "," in parameters.get("AllowedOrigin", "") else "", **parameters}


def main() -> int:
    stage, *changes = sys.argv[1:]
    parameters = with_preflight_origin(settings(stage) | pairs(changes))
    command = [str(SAM), "deploy", "--config-file", str(CONFIG), "--config-env", stage]
    command += ["--template-file", str(with_settings(BUILT, parameters)), "--parameter-overrides"]
    return subprocess.call([*command, *(f"{name}={value}" for name, value in parameters.items())], cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main())
