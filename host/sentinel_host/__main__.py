"""``python -m sentinel_host`` is the ``sentinel`` command."""

from __future__ import annotations

import sys

from sentinel_host.cli import main

sys.exit(main())
