"""`docs/capacity.md`, computed from what was measured and simulated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.capacity.comparison import Compared, compare_all
from lab.capacity.plan import FILLED, LATE_S, machine_rates, plan_table
from lab.capacity.records import RECORDS, h200_record, streaming_record
from lab.capacity.streams import StreamsSpec, machine_of_streams, simulate_streams

TEMPLATE = Path(__file__).with_name("capacity.md.in")
_WANTED = (
    (1_000, 0.0),
    (10_000, 0.0),
    (100_000, 0.0),
    (0, 10_000.0),
    (0, 100_000.0),
    (0, 1_000_000.0),
    (5_000, 100_000.0),
)
_STREAMS = (6, 8, 9, 10, 11, 12, 13, 14, 16)


def write_page(target: Path, price: float, busiest_hour: float) -> None:
    """Write the page, all of whose figures are computed here or read from `docs/capacity`."""
    fleet = json.loads((RECORDS / "fleet.json").read_text(encoding="utf-8"))
    compared = list(compare_all())
    worst = max(abs(each) for one in compared for each in one.deviations)
    rates = machine_rates()
    text = TEMPLATE.read_text(encoding="utf-8").format(
        price=price,
        gpu=rates.name,
        sessions=rates.sessions,
        late_s=LATE_S,
        audio=rates.audio_per_s,
        filled=f"{FILLED:.0%}",
        busiest=f"{busiest_hour:.0%}",
        plan=plan_table(rates, _WANTED, price, busiest_hour),
        worst=f"{worst:.0%}",
        comparison=comparison_table(compared),
        fleet=_fleet_table(fleet["requests"]),
        live=_sessions_table(fleet["sessions"]),
        late=_late_table(machine_of_streams(streaming_record())),
        source=h200_record()["source"],
    )
    target.write_text(text, encoding="utf-8")


def comparison_table(compared: Sequence[Compared]) -> str:
    """Return measured and simulated latencies, a row for each load."""
    rows = [
        "| record | load | measured p50, p95 in s | simulated | |",
        "|---|---|---|---|---|",
    ]
    for each in compared:
        off = ", ".join(f"{share:+.0%}" for share in each.deviations)
        rows.append(
            f"| {each.source} | {each.load} | {_pair(each.measured)} | {_pair(each.simulated)} | "
            f"{off} |"
        )
    return "\n".join(rows)


def _pair(values: tuple[float, float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


def _fleet_table(rows: Sequence[dict[str, Any]]) -> str:
    table = [
        "| servers, gateways | filled | chosen by | die | audio per s | p50, p95, p99 in ms | "
        "slowest | given to another | lost |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        latencies = ", ".join(f"{1000 * row[name]:.0f}" for name in ("p50_s", "p95_s", "p99_s"))
        table.append(
            f"| {row['servers']:,}, {row['gateways']} | {row['load']:.0%} | "
            f"{'room' if row['chooses'] else 'chance'} | {row['deaths']} | "
            f"{row['audio_per_s']:,.0f} s | {latencies} | {1000 * row['slowest_s']:.0f} | "
            f"{row['repeated']} of {row['requests'] + row['lost']:,} | {row['lost']} |"
        )
    return "\n".join(table)


def _sessions_table(rows: Sequence[dict[str, Any]]) -> str:
    table = [
        "| servers, gateways | sessions of a server | fullest | fullest in the minute behind a "
        "death | sessions that went on elsewhere |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        table.append(
            f"| {row['servers']:,}, {row['gateways']} | {row['mean']:.0f} | {row['fullest']} | "
            f"{row['fullest_after_death']} | {row['resumed']} |"
        )
    return "\n".join(table)


def _late_table(spec: StreamsSpec) -> str:
    """Return how late text is on a machine with more and more streams."""
    rows = ["| streams | p50, p95 in s | pieces in a run |", "|---|---|---|"]
    for streams in _STREAMS:
        found = simulate_streams(spec, streams)
        rows.append(
            f"| {streams} | {found.p50_s:.2f}, {found.p95_s:.2f} | {found.mean_batch:.1f} |"
        )
    return "\n".join(rows)
