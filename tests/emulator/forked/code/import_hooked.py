import os
import sys

BEFORE = [type(hook).__module__ for hook in sys.meta_path]
import hooked  # noqa: E402, F401


def handler(_event, _context):
    after = [type(hook).__module__ for hook in sys.meta_path]
    return {"before": BEFORE.count("hooked"), "after": after.count("hooked"), "parent": os.getppid()}
