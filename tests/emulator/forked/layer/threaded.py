"""A fork of a process with a second thread may deadlock: this may not be preloaded."""

import threading
import time

THREAD = threading.Thread(target=time.sleep, args=(600,), daemon=True)
THREAD.start()
