"""Does what the event says, one thing after the other. Behind the gateway the body says it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STARTED = time.time_ns()


def handler(event, context):
    wishes = json.loads(event["body"]) if "httpMethod" in event else event
    answer = None
    for wish, argument in wishes.items():
        answer = globals()[f"_{wish}"](argument, context)
    return answer


def _answer(value, _context):
    return value


def _sleep(seconds, _context):
    time.sleep(seconds)


def _exit(status, _context):
    os._exit(status)


def _kill(_, _context):
    os.kill(os.getpid(), signal.SIGKILL)


def _fail(message, _context):
    raise RuntimeError(message)


def _text(length, _context):
    return "x" * length


def _object(_, _context):
    return object()


def _print(text, _context):
    print(text)
    print("and to stderr", file=sys.stderr)


def _append(path, context):
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()} {context.aws_request_id}\n")


def _grandchild(path, _context):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(path).write_text(str(child.pid))


def _self(_, context):
    import shared

    return {
        "pid": os.getpid(),
        "started": STARTED,
        "cwd": str(Path.cwd()),
        "path": sys.path,
        "environment": dict(os.environ),
        "shared": shared.NAME,
        "context": {
            "name": context.function_name,
            "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb,
            "request": context.aws_request_id,
            "left": context.get_remaining_time_in_millis(),
            "client": context.client_context.custom if context.client_context else None,
        },
    }
