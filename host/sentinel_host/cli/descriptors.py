"""Standard descriptors that the parent process has closed."""

from __future__ import annotations

import io
import os
import sys
from typing import Final

# Opened in the wrong direction, so that reads and writes fail, as they do on a closed descriptor.
_FAILING: Final = {0: os.O_WRONLY, 1: os.O_RDONLY, 2: os.O_RDONLY}


def reserve() -> None:
    """Open descriptors 0 to 2 if they are closed: otherwise a socket would get the number of
    stdout.
    """
    for descriptor, mode in _FAILING.items():
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, mode)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
    # Python sets these to None if the descriptor was closed, and print would use the other one.
    if sys.stdout is None:
        sys.stdout = io.StringIO()
    if sys.stderr is None:
        sys.stderr = io.StringIO()
