"""Default signal handling, independent of the parent process."""

import signal


def reset_signal_handling() -> None:
    """SIGINT and SIGTERM reach this process and its children even if the parent ignored or blocked them.

    A shell script starts `command &` with SIGINT ignored, and children inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it is ignored, the exit codes of children are lost
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD})
