"""The ``sentinel`` command, which is ``python -m sentinel_host``, too."""

from __future__ import annotations

import os
import signal
import sys

from sentinel_host.supervisor.signals import end_at_next


def main() -> int:
    """Run it; returns the exit code."""
    if os.getpid() == 1:
        # Before the modules are loaded, which takes a second: a signal during that time must end
        # the process.
        end_at_next(signal.SIGTERM)
    from sentinel_host.cli import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
