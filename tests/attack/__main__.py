"""Attack a gateway of one's own, and show which promises hold."""

from __future__ import annotations

import argparse
import sys
import traceback

import trio

from tests.attack import bodies, connections, doors, host, receivers, streams, tenants
from tests.attack.case import Case, Target, target

PARTS = (doors, connections, bodies, host, receivers, tenants, streams)
CASES: tuple[Case, ...] = tuple(case for part in PARTS for case in part.CASES)
PATIENCE = 300.0
"""Seconds for one case."""


async def run(*, seed: int, short: bool, only: str) -> int:
    """Run the cases whose name contains ``only``; how many promises fell. ValueError: there is no such case."""
    chosen = [case for case in CASES if only in case.name]
    if not chosen:
        raise ValueError(f"no case has {only!r} in its name; there are: {', '.join(case.name for case in CASES)}")
    fallen = 0
    async with target(seed=seed, short=short) as attacked:
        for case in chosen:
            fallen += not await held(case, attacked)
    print(f"{fallen} fell" if fallen else "all held", flush=True)
    return fallen


async def held(case: Case, attacked: Target) -> bool:
    try:
        with trio.fail_after(PATIENCE):
            facts = await case.probe(attacked)
    except Exception as error:  # noqa: BLE001  (whatever it is, the promise did not hold)
        traceback.print_exc()
        print(f"FELL  {case.name:20} {case.promise}: {error}", flush=True)
        return False
    print(f"held  {case.name:20} {case.promise}: {facts}", flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/attack", description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="only cases whose name contains this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="the form that runs with the tests")
    given = parser.parse_args()
    try:
        return 1 if trio.run(lambda: run(seed=given.seed, short=given.short, only=given.only)) else 0
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
