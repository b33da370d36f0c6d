"""SAM to CloudFormation through AWS's own translator, cached on disk: its import alone takes a second."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from emulator.stack import StackError

# The translator accepts code from S3 only. `sam deploy` uploads code and rewrites the paths; here paths are only
# rewritten, and `local_path` reads them back from the translated resource.
_BUCKET = "emulator-local-path"
_FORMAT = "2"  # of stored documents; changing it invalidates them

# Property that names local code, by type. SAM reads the first also from Globals.
_SAM_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
_RAW_CODE = {"AWS::Lambda::Function": "Code", "AWS::Lambda::LayerVersion": "Content"}


def translate(path: Path, parameters: Mapping[str, str], region: str, cache: Path | None) -> dict[str, Any]:
    """The template as CloudFormation, with `SamEvents`: function -> event -> its type in the template.

    `cache` is a folder of stored results. Raises StackError if the file is not a template that SAM accepts.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise StackError(f"{path}: {error.strerror}") from None
    stored = None
    if cache is not None:
        parts = [_FORMAT, version("aws-sam-translator"), region, text, json.dumps(dict(parameters), sort_keys=True)]
        stored = cache / f"template-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}.json"
        if stored.exists():
            document: dict[str, Any] = json.loads(stored.read_text())
            return document
    document = _translated(path, text, parameters, region)
    if stored is not None:
        stored.parent.mkdir(parents=True, exist_ok=True)
        unfinished = stored.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(document))
        unfinished.replace(stored)  # a reader sees all of it or nothing
    return document


def local_path(code: Any) -> str | None:
    """The path in the template before `translate` replaced it; None if the code is not local."""
    if isinstance(code, Mapping) and code.get("S3Bucket") == _BUCKET:
        return unquote(str(code["S3Key"]))
    return None


def _translated(path: Path, text: str, parameters: Mapping[str, str], region: str) -> dict[str, Any]:
    # Imported here: they take over a second, and a stored document needs none of them.
    import boto3
    import yaml
    from samtranslator.model.exceptions import InvalidDocumentException  # type: ignore[import-untyped]
    from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
    from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]
    from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    try:
        parsed = yaml_parse(text)
    except yaml.YAMLError as error:
        raise StackError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("Resources"), dict):
        raise StackError(f"{path}: not a CloudFormation template: it has no Resources")
    document: dict[str, Any] = json.loads(json.dumps(parsed, default=str))  # YAML parses some text as dates
    for name, resource in document["Resources"].items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Properties") or {}, dict):
            raise StackError(f"Resources.{name}: it and its Properties must be maps")
        resource["Properties"] = resource.get("Properties") or {}
    events = dict(_events(document))
    _point_code_at_s3(document)
    session = boto3.Session(region_name=region)  # the translator only reads its region
    try:
        translated: dict[str, Any] = Translator({}, Parser(), boto_session=session).translate(
            document, dict(parameters), passthrough_metadata=True
        )
    except InvalidDocumentException as error:
        causes = list(error.causes) or [error]
        raise StackError(f"{path}: {'; '.join(' '.join(cause.message.split()) for cause in causes)}") from None
    result: dict[str, Any] = json.loads(json.dumps(translated, default=str))
    result["SamEvents"] = events
    return result


def _events(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for name, resource in document["Resources"].items():
        if resource.get("Type") == "AWS::Serverless::Function":
            events = resource["Properties"].get("Events")
            if isinstance(events, Mapping):  # the translator reports anything else
                types = {event: body.get("Type") for event, body in events.items() if isinstance(body, Mapping)}
                yield name, {event: str(kind) for event, kind in types.items()}


def _point_code_at_s3(document: dict[str, Any]) -> None:
    global_function = (document.get("Globals") or {}).get("Function") or {}
    default = global_function.pop("CodeUri", ".")
    for resource in document["Resources"].values():
        kind = resource.get("Type")
        properties = resource["Properties"]
        if kind in _SAM_CODE:
            key = _SAM_CODE[kind]
            if kind == "AWS::Serverless::Function" and ("InlineCode" in properties or "ImageUri" in properties):
                continue
            uri = properties.get(key, default)
            if isinstance(uri, str) and not uri.startswith("s3://"):
                properties[key] = f"s3://{_BUCKET}/{quote(uri, safe='')}"
            else:
                properties[key] = uri
        elif kind in _RAW_CODE and isinstance(properties.get(_RAW_CODE[kind]), str):
            properties[_RAW_CODE[kind]] = {"S3Bucket": _BUCKET, "S3Key": quote(properties[_RAW_CODE[kind]], safe="")}
