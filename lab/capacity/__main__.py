"""Plans for more machines than one.

    python -m lab.capacity measure           measure on this machine what the simulation is tried by
    python -m lab.capacity compare           the simulation beside all that was measured
    python -m lab.capacity fleet             what 10, 100 and 1,000 servers do (takes minutes)
    python -m lab.capacity plan --sessions 5000 --hours-per-day 100000 --price 4
    python -m lab.capacity page --price 4    write docs/capacity.md of all this

Who plans needs nothing beside the server's packages, who simulates SimPy (`pip install simpy`).
Prices are those of a machine for an hour, in whatever currency.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from asr_server.places import ROOT
from lab.capacity.plan import machine_rates, plan_table
from lab.capacity.records import RECORDS

_SIZES = (10, 100, 1000)
_REQUESTS = 40_000  # of a simulation, about
_SESSIONS_PER_SERVER = 800


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    if options.command == "plan":
        wanted = (options.sessions, options.hours_per_day)
        print(plan_table(machine_rates(), [wanted], options.price, options.busiest_hour))
        return 0
    if options.command == "measure":
        return _measure(options)
    if options.command == "fleet":
        return _fleet(options.sizes)
    from lab.capacity.comparison import compare_all
    from lab.capacity.page import comparison_table, write_page

    if options.command == "compare":
        print(comparison_table(list(compare_all())))
    else:
        write_page(ROOT / "docs" / "capacity.md", options.price, options.busiest_hour)
    return 0


def _measure(options: argparse.Namespace) -> int:
    from lab.capacity.measure import measure

    record = measure(
        options.run_ms / 1000,
        options.max_batch,
        options.concurrency,
        options.arrivals,
        options.seconds,
        lambda line: print(line, file=sys.stderr),
    )
    target = options.output or RECORDS / f"here-{options.run_ms:g}ms.json"
    written = {"command": f"python -m lab.capacity {' '.join(sys.argv[1:])}", **record}
    target.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    return 0


def _fleet(sizes: Sequence[int]) -> int:
    """Write what many servers do, one size after the other; other sizes stay as they are."""
    from lab.capacity.calibration import gpu_record, machine_of_gpu
    from lab.capacity.fleet import Fleet, FleetPlan
    from lab.capacity.sessions import Sessions

    spec, target = machine_of_gpu(gpu_record("sensevoice")), RECORDS / "fleet.json"
    known = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
    rows, sessions = (
        [row for row in known.get(name, ()) if row["servers"] not in sizes]
        for name in ("requests", "sessions")
    )

    def keep() -> None:  # after each row: the largest take minutes
        found = {"requests": rows, "sessions": sessions}
        ordered = {name: sorted(found[name], key=lambda row: row["servers"]) for name in found}
        target.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")

    for servers in sizes:
        seconds = max(_REQUESTS / (servers * 450), 1.2)
        for load, deaths, chooses in (
            (0.5, 0, True),
            (0.8, 0, False),
            (0.8, 0, True),
            (0.8, max(servers // 100, 1), True),
        ):
            plan = FleetPlan(servers, max(servers // 25, 2), load, seconds, deaths, chooses=chooses)
            rows.append({**asdict(plan), **asdict(Fleet(spec, plan).run())})
            print(json.dumps(rows[-1]), file=sys.stderr)
            keep()
        gateways = max(servers // 4, 2)
        live = Sessions(servers, gateways, min(_SESSIONS_PER_SERVER, 200_000 // servers))
        sessions.append({"servers": servers, "gateways": gateways, **asdict(live.run())})
        print(json.dumps(sessions[-1]), file=sys.stderr)
        keep()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.capacity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    measure = commands.add_parser("measure")
    measure.add_argument("--run-ms", type=float, default=500)
    measure.add_argument("--max-batch", type=int, default=32)
    measure.add_argument("--concurrency", type=int, nargs="+", default=[1, 8, 32, 64])
    measure.add_argument("--arrivals", type=float, nargs="*", default=[10, 20, 40])
    measure.add_argument("--seconds", type=float, default=10)
    measure.add_argument("--output", type=Path)
    commands.add_parser("compare")
    fleet = commands.add_parser("fleet")
    fleet.add_argument("--sizes", type=int, nargs="+", default=[*_SIZES])
    for name in ("plan", "page"):
        plan = commands.add_parser(name)
        plan.add_argument("--price", type=float, default=4.0, help="of a machine for an hour")
        plan.add_argument(
            "--busiest-hour",
            type=float,
            default=0.12,
            help="share of a day's audio that comes in its busiest hour",
        )
        if name == "plan":
            plan.add_argument("--sessions", type=int, default=0, help="live at the same time")
            plan.add_argument("--hours-per-day", type=float, default=0, help="of recordings")
    return parser


if __name__ == "__main__":
    sys.exit(main())
