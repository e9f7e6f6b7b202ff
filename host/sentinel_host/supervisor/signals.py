"""Ending by a signal, also as the first process of a container.

The kernel keeps from the first process of a namespace every signal for which it has no handler
(pid_namespaces(7)): the default action, which ends any other process, does nothing there.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

# What a shell says of a process that a signal ended.
_ENDED_BY = 128


def end_at_next(*numbers: signal.Signals) -> None:
    """Have any of these signals end the process at once."""
    for number in numbers:
        signal.signal(number, _exit if os.getpid() == 1 else signal.SIG_DFL)


def end_by(number: signal.Signals) -> None:
    """End the process at once, as this signal would."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(_ENDED_BY + number)


def _exit(number: int, frame: FrameType | None) -> None:
    os._exit(_ENDED_BY + number)
