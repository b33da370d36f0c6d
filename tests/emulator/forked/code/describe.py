"""Describes its own process: a forked one must look like a fresh one."""

import gc
import os
import random
import resource
import secrets
import signal
import ssl
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import shared

_AT_INIT = {"modules": sorted(sys.modules)}
# These differ in every process.
_OWN = ("AWS_ENDPOINT_URL_LAMBDA", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "TMPDIR", "_X_AMZN_TRACE_ID")


def handler(event, _context):
    return globals()[f"_{event['what']}"]()


def _process():
    return {
        "modules": _AT_INIT["modules"],
        "environment": {name: value for name, value in os.environ.items() if name not in _OWN},
        "real environment": sorted(
            entry.partition("=")[0] for entry in map(os.fsdecode, [k + b"=" + v for k, v in os.environb.items()])
        ),
        "path": sys.path,
        "argv": sys.argv,
        "flags": str(sys.flags),
        "main": sorted(vars(sys.modules["__main__"])),
        "cwd": str(Path.cwd()),
        "descriptors": _descriptors(),
        "signals": {int(number): str(signal.getsignal(number)) for number in signal.valid_signals()},
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "leads session": os.getsid(0) == os.getpid(),
        "leads group": os.getpgid(0) == os.getpid(),
        "umask": _umask(),
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if "RLIMIT" in name},
        "nice": os.nice(0),
        "user": [os.getresuid(), os.getresgid(), sorted(os.getgroups())],
        "temporary folder": tempfile.gettempdir() == os.environ["TMPDIR"],
        "threads": [thread.name for thread in threading.enumerate()],
        "tasks": len(os.listdir("/proc/self/task")),  # noqa: PTH208
        "children": Path(f"/proc/self/task/{os.getpid()}/children").read_text(),
        "collector": [gc.isenabled(), gc.get_threshold(), gc.get_debug()],
        "recursion": sys.getrecursionlimit(),
        "encoding": [sys.stdout.encoding, sys.getfilesystemencoding(), sys.getdefaultencoding()],
        "layer": shared.NAME,
        "parent death signal": _parent_death_signal(),
    }


def _random():
    return {
        "random": random.random(),
        "of a package": shared.GENERATOR.random(),
        "seeded": shared.SEEDED.random(),
        "uuid4": str(uuid.uuid4()),
        "uuid1": str(uuid.uuid1()),
        "secrets": secrets.token_hex(16),
        "openssl": ssl.RAND_bytes(16).hex(),
        "temporary name": next(tempfile._get_candidate_names()),
    }


def _late():
    before = [name for name in ("late", "late_too") if name in sys.modules]
    import late

    after = [name for name in ("late", "late_too") if name in sys.modules]
    return {"before": before, "after": after, "value": late.VALUE}


def _parent():
    return {"parent": os.getppid(), "pid": os.getpid(), "loaded by": shared.LOADED_BY}


def _sleep():
    time.sleep(3)


def _allocate():
    block = b"x" * (200 * 1024 * 1024)
    time.sleep(30)
    return len(block)


def _descriptors():
    kinds = []
    for number in sorted(int(name) for name in os.listdir("/proc/self/fd")):  # noqa: PTH208
        try:
            target = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115
        except OSError:
            continue  # the descriptor of the listing itself
        kinds.append(target.partition(":")[0])
    return kinds


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _parent_death_signal():
    import ctypes

    number = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(number), 0, 0, 0)  # PR_GET_PDEATHSIG
    return number.value
