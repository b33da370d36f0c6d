"""Writes the sample event of each function that has none, and the OpenAPI document.

Prints a line for each file it wrote, and one for each thing that a person must still write. Existing samples are not
changed.
"""

import json
import sys
from pathlib import Path

from tools.generate.completeness import handler_problem, undeployed_handlers, unused_samples, what_is_missing
from tools.generate.samples import NoSample, sample_event
from tools.handlers import ROOT, deployed_functions
from tools.openapi import document
from tools.openapi.routes import IncompleteRoute, routes


def main() -> None:
    try:
        written, to_do = generate()
    except IncompleteRoute as error:
        sys.exit(str(error))
    for path in written:
        print(f"wrote {path.relative_to(ROOT)}")
    for sentence in to_do:
        print(f"to do: {sentence}")
    if not written and not to_do:
        print("nothing to write: every function has a sample event, and every route is complete")


def generate() -> tuple[list[Path], list[str]]:
    """The files written, and what a person must still write. Raises IncompleteRoute if a handler cannot be imported."""
    written, to_do = [], []
    found = routes()
    broken = [sentence for route in found if (sentence := handler_problem(route))]
    if broken:
        raise IncompleteRoute("\n".join(broken))
    for function in deployed_functions():
        if function.sample.exists():
            continue
        try:
            made, notes = sample_event(function, found)
        except NoSample as reason:
            to_do.append(str(reason))
            continue
        function.sample.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(function.sample)
        to_do += notes
    text = document.text(document.document(found))
    if not document.PATH.exists() or document.PATH.read_text(encoding="utf-8") != text:
        document.PATH.write_text(text, encoding="utf-8")
        written.append(document.PATH)
    to_do += [*undeployed_handlers(), *unused_samples()]
    to_do += [sentence for route in found for sentence in what_is_missing(route)]
    return written, to_do


if __name__ == "__main__":
    main()
