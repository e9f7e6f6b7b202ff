"""``python docs/tooling``: writes the reference and builds the site; ``--check`` only says what is
stale.
"""

from __future__ import annotations

import argparse
import sys

from sitebuild import guests, links, reference, site
from sitebuild.places import ROOT


def main() -> int:
    """1 after a line for each fault."""
    parser = argparse.ArgumentParser(prog="docs/tooling", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a page of the reference is stale")
    if parser.parse_args().check:
        return _told([*reference.stale(), *guests.stale()])
    reference.write()
    guests.write()
    if _told([*links.broken_links(), *site.unlisted()]):
        return 1
    target = ROOT / "build" / "docs"
    if site.build(target):
        return 1
    print(f"the site is in {target / 'site'}")
    return _told(site.foreign(target / "site"))


def _told(faults: list[str]) -> int:
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
