"""What a process of the emulator does with signals, whatever its parent did with them."""

import signal


def hear_signals() -> None:
    """SIGINT and SIGTERM reach us and what we start, also where our parent ignored or blocked them.

    A shell script starts `command &` with SIGINT ignored, and children inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, the exit codes of children are lost
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD})
