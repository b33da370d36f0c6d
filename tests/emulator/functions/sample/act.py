"""Runs the actions of the event in order; behind the gateway, those of its body."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

STARTED = time.time_ns()


def handler(event, context):
    actions = json.loads(event["body"]) if "httpMethod" in event else event
    answer = None
    for action, argument in actions.items():
        answer = globals()[f"_{action}"](argument, context)
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


def _allocate(megabytes, _context):
    block = bytearray(megabytes * 1024 * 1024)
    time.sleep(30)
    return len(block)


def _fork_and_allocate(megabytes, context):
    if os.fork() == 0:
        os.setsid()
        _allocate(megabytes, context)
        os._exit(0)
    time.sleep(30)


def _fork_and_share(megabytes, context):
    block = bytearray(megabytes * 1024 * 1024)
    children = [os.fork() for _ in range(1)]
    if 0 in children:
        time.sleep(0.6)
        os._exit(0)
    time.sleep(0.6)
    return len(block) // (1024 * 1024)


def _fork_and_return(_, _context):
    return "parent" if os.fork() else "child"


def _write(parts, _context):
    sys.stdout.write(parts["text"] * parts["times"])
    sys.stdout.flush()


def _bytes(numbers, _context):
    os.write(1, bytes(numbers))


def _close_output(_, _context):
    sys.stdout.flush()
    os.close(1)
    os.close(2)
    return "silent"


def _close_stdout(_, _context):
    sys.stdout.close()
    return "closed"


def _sys_exit(status, _context):
    sys.exit(status)


def _nan(_, _context):
    return {"statusCode": 200, "body": "x", "headers": {"X-Number": float("nan")}}


def _threads(count, _context):
    for _ in range(count):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return threading.active_count()


def _scratch(text, _context):
    path = Path(tempfile.gettempdir()) / "kept"
    before = path.read_text() if path.exists() else ""
    path.write_text(text)
    return {"folder": str(path.parent), "before": before}


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
