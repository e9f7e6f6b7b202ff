"""Standard descriptors that whoever started us has closed."""

from __future__ import annotations

import io
import os
import sys
from typing import Final

# The wrong way round: whatever reads or writes there fails, as it would if nothing were there.
_FAILING: Final = {0: os.O_WRONLY, 1: os.O_RDONLY, 2: os.O_RDONLY}


def reserve() -> None:
    """Open descriptors 0 to 2 where they are closed: otherwise the next socket would have the number of the log."""
    for descriptor, mode in _FAILING.items():
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, mode)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
    # Python has none of these where the descriptor was closed, and print would turn to the other.
    if sys.stdout is None:
        sys.stdout = io.StringIO()
    if sys.stderr is None:
        sys.stderr = io.StringIO()
