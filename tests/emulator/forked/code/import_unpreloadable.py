import os

import opened
import shared
import threaded


def handler(_event, _context):
    return {"parent": os.getppid(), "alive": threaded.THREAD.is_alive(), "file": opened.FILE, "shared": shared.NAME}
