"""What tells a gateway from the others of its user: where its configuration is."""

from __future__ import annotations

import hashlib
import os
from typing import Final

# Of a digest: enough to tell the gateways of one machine apart.
_DIGITS: Final = 16


def identities(file: str) -> list[str]:
    """Names, for files, of the gateway whose configuration is ``file``: what is kept for it is kept
    under each of them.

    The first is that of the real path, so that it does not matter by which link a command comes.
    The second is that of the path as it was written, if that is another: a release that is put into
    place by changing a link, and a volume of Kubernetes, have another real path each time, and go
    on with what was kept before.
    """
    try:
        paths = [os.path.realpath(file), os.path.abspath(file)]
    except OSError:
        # A relative path, and the working directory is gone.
        paths = [file]
    return list(dict.fromkeys(hashlib.sha256(os.fsencode(path)).hexdigest()[:_DIGITS] for path in paths))
