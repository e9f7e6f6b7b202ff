"""``python guest-examples/tooling``: build the example guests, or print the toolchain's environment."""

from __future__ import annotations

import sys

from guestbuild.command_line import main

sys.exit(main())
