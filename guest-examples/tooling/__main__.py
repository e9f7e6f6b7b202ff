"""``python guest-examples/tooling``: build the example guests, or print the toolchain's
environment.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Last: an installed package comes before the working tree.
sys.path.append(str(Path(__file__).resolve().parents[2] / "host"))

from guestbuild.command_line import main

sys.exit(main())
