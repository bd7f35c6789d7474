"""Break a gateway of your own on purpose, and see which promises hold.

    python -m scripts.chaos [--seed N] [--short] [--list] [NAME …]

Everything happens in temporary folders and on loopback. The exit code is the number of promises that fell.
"""

from __future__ import annotations

import argparse
import random
import sys

import trio

from scripts.chaos.backlog import BACKLOG
from scripts.chaos.clock import CLOCK
from scripts.chaos.database import DATABASE
from scripts.chaos.kills import KILLS
from scripts.chaos.receivers import RECEIVERS
from scripts.chaos.scenario import Size, judge
from scripts.chaos.standstill import STANDSTILL

SCENARIOS = {each.name: each for each in (*STANDSTILL, *KILLS, *DATABASE, *BACKLOG, *CLOCK, *RECEIVERS)}


def main() -> int:
    """Run them one after the other and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--short", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in SCENARIOS]:
        parser.error(f"no scenario is called {unknown[0]!r}; --list says what there is")
    chosen = [SCENARIOS[name] for name in given.names or SCENARIOS]
    if given.list:
        for each in chosen:
            print(f"{each.name:16} {each.fault} → {each.promise}")
        return 0
    print(f"seed {given.seed}", flush=True)
    fell = 0
    for each in chosen:
        verdict = trio.run(judge, each, Size(short=given.short, seed=given.seed))
        fell += not verdict.held
        outcome = "held" if verdict.held else "FELL"
        print(f"{outcome}  {each.fault} → {each.promise}\n      {verdict.says} ({verdict.seconds:.0f} s)", flush=True)
    return fell


if __name__ == "__main__":
    sys.exit(main())
