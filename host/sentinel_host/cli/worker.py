"""``sentinel worker``: one of several workers, which a supervisor executes."""

from __future__ import annotations

import argparse

from sentinel_host.cli.logs import begin_log
from sentinel_host.supervisor.worker import work


def worker(options: argparse.Namespace) -> int:
    """Serve what the supervisor says."""
    return work(options.control, begin_log)
