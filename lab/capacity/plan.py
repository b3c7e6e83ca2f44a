"""Machines and cost for so many live sessions or hours of recordings a day, by measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lab.capacity.records import gpu_loads, h200_record

LATE_S = 0.6  # a piece of speech; a stream whose text comes later than the next piece falls behind
FILLED = 0.8  # of what a machine answers at most, so that batches wait for nobody


@dataclass(frozen=True)
class MachineRates:
    """What one machine was measured to do.

    Attributes:
        name: of the machine.
        sessions: live streams whose text is not late (95 %).
        audio_per_s: recordings, in seconds of audio per second.
    """

    name: str
    sessions: int
    audio_per_s: float


@dataclass(frozen=True)
class Plan:
    """What is needed.

    Attributes:
        for_sessions, for_recordings, spare: machines.
        cost_per_day: of all of them, day and night.
        cost_per_hour_of_audio: of recordings, on machines that are always at work; None without.
    """

    for_sessions: int
    for_recordings: int
    spare: int
    cost_per_day: float
    cost_per_hour_of_audio: float

    @property
    def machines(self) -> int:
        """All of them."""
        return self.for_sessions + self.for_recordings + self.spare


def machine_rates() -> MachineRates:
    """Return what an H200 was measured to do: the most streams, and the most recordings."""
    record = h200_record()
    sessions = max(load["streams"] for load in record["streams"] if load["p95_s"] <= LATE_S)
    most = max(each["load"]["audio_per_s"] for each in gpu_loads())
    return MachineRates(record["machine"]["GPU"], sessions, most)


def plan_for(
    rates: MachineRates, sessions: int, hours_per_day: float, price: float, busiest_hour: float
) -> Plan:
    """Return the machines for a load, filled to a share, and one in ten more, for failures.

    Args:
        rates: of a machine.
        sessions: live at the same time, at most.
        hours_per_day: of recordings.
        price: of a machine for an hour.
        busiest_hour: share of a day's recordings that comes in its busiest hour, in which they are
            to be recognised; 1/24 where they may wait.

    Raises:
        ValueError: a number makes no sense.
    """
    if sessions < 0 or hours_per_day < 0 or price < 0:
        raise ValueError("expected sessions, hours and a price that are not negative")
    if not 1 / 24 <= busiest_hour <= 1:
        raise ValueError(f"busiest hour: expected 1/24 to 1 of a day's audio; got {busiest_hour}")
    for_sessions = math.ceil(sessions / (FILLED * rates.sessions))
    hours = hours_per_day * busiest_hour
    for_recordings = math.ceil(hours / (FILLED * rates.audio_per_s))
    needed = for_sessions + for_recordings
    spare = math.ceil(needed / 10)
    per_hour = price / (FILLED * rates.audio_per_s)
    return Plan(for_sessions, for_recordings, spare, 24 * price * (needed + spare), per_hour)


def plan_table(
    rates: MachineRates, wanted: Sequence[tuple[int, float]], price: float, busiest_hour: float
) -> str:
    """Return machines and cost, a row for each load: sessions, and hours of recordings a day."""
    rows = [
        "| live sessions | hours a day | machines: live, recordings, spare | a day | a year |",
        "|---|---|---|---|---|",
    ]
    for sessions, hours in wanted:
        plan = plan_for(rates, sessions, hours, price, busiest_hour)
        rows.append(
            f"| {sessions:,} | {hours:,.0f} | **{plan.machines:,}**: {plan.for_sessions:,}, "
            f"{plan.for_recordings:,}, {plan.spare:,} | {plan.cost_per_day:,.0f} | "
            f"{365 * plan.cost_per_day:,.0f} |"
        )
    cost = plan_for(rates, 0, 0, price, busiest_hour).cost_per_hour_of_audio
    rows += ["", f"An hour of recordings on machines that are always at work: {cost:.5f}."]
    return "\n".join(rows)
