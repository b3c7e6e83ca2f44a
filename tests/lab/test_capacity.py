"""The simulation gives the latencies that were measured, and plans are what it was asked for."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest
import simpy

from asr_server.places import ROOT
from lab.capacity.__main__ import main
from lab.capacity.calibration import gpu_record, machine_of_gpu
from lab.capacity.comparison import compare_all
from lab.capacity.fleet import Fleet, FleetPlan, most_audio_per_s
from lab.capacity.load import simulate_arrivals, simulate_load
from lab.capacity.machine import Machine, MachineSpec, Run
from lab.capacity.plan import FILLED, LATE_S, machine_rates, plan_for
from lab.capacity.records import RECORDS, h200_record
from lab.capacity.sessions import Sessions
from lab.capacity.streams import PIECE_S, StreamsSpec, simulate_streams

GPU = machine_of_gpu(gpu_record("sensevoice"))
ALONE = MachineSpec({}, {}, Run(0.1, 0.01, 4))  # nothing but an encoder


@pytest.fixture(scope="module")
def compared():
    return list(compare_all())


def test_it_gives_what_was_measured(compared):
    deviations = {f"{each.source} {each.load}": each.deviations for each in compared}
    assert {name: each for name, each in deviations.items() if max(map(abs, each)) >= 0.2} == {}


def test_what_is_recorded_is_of_several_machines_and_loads(compared):
    sources = {each.source.partition(",")[0] for each in compared}
    assert sources >= {"glue.json", "here-500ms.json", "gpu.json", "h200.json", "streaming.json"}
    assert len(compared) >= 28
    assert any(each.load.endswith("a second") for each in compared)  # whatever is under way


def test_batches_are_what_waits():
    """A run takes what has come meanwhile, up to its size, and the rest comes next."""
    env = simpy.Environment()
    machine, answered = Machine(env, ALONE), []
    for _ in range(7):
        machine.serve(1.0, lambda is_answered: answered.append((is_answered, round(env.now, 6))))
    env.run()
    assert machine.batches == [1, 4, 2]
    ends = [0.11, *[0.11 + 0.14] * 4, *[0.11 + 0.14 + 0.12] * 2]
    assert answered == [(True, round(end, 6)) for end in ends]


def test_runs_beside_each_other_take_what_waits_when_one_ends():
    env = simpy.Environment()
    machine = Machine(env, replace(ALONE, run=Run(0.1, 0.01, 4, at_a_time=2)))
    answered: list[float] = []
    for _ in range(7):
        machine.serve(1.0, lambda _: answered.append(round(env.now, 6)))
    env.run()
    assert machine.batches == [1, 1, 4, 1]  # two begin at once, what waits goes with the first
    assert answered == [0.11, 0.11, 0.22, *[0.25] * 4]


def test_runs_take_the_longer_the_more_audio_is_in_them():
    spec = replace(ALONE, run=Run(0.1, 0.0, 4, second_s=0.02))
    assert simulate_load(spec, [1.0, 11.0], 1).p50_s == pytest.approx(0.1 + 0.02 * 6)


def test_processes_of_a_name_share_the_work():
    spec = replace(ALONE, before_s={"front": 0.5}, run=Run(0.0, 0.0, 64))
    for count in (1, 2, 3):
        several = replace(spec, processes={"front": count})
        assert simulate_load(several, [1.0] * 12, 6).audio_per_s == pytest.approx(2.0 * count)


def test_streams_wait_for_no_more_than_their_share():
    """One alone waits for its own run; two places share what waits; twice too many never end."""
    spec = StreamsSpec((1, 2), (0.1, 0.15), places=2, passing_s=0.01)
    alone, several = simulate_streams(spec, 1), simulate_streams(spec, 10)
    assert (alone.p50_s, alone.p95_s) == pytest.approx((0.11, 0.11))
    assert alone.mean_batch == 1
    assert 0.11 <= several.p50_s <= 0.3
    most = 2 * PIECE_S / 0.05  # of runs that are as large as they may be
    assert simulate_streams(spec, int(2 * most)).p50_s > 5
    assert spec.seconds(4) == pytest.approx(0.25)


def test_processes_do_one_thing_at_a_time_and_tritonserver_many():
    spec = replace(ALONE, before_s={"front": 0.5}, run=Run(0.0, 0.0, 64))
    assert simulate_load(spec, [1.0] * 8, 4).audio_per_s == pytest.approx(2.0)
    several = replace(spec, before_s={"tritonserver": 0.5})
    assert simulate_load(several, [1.0] * 8, 4).audio_per_s == pytest.approx(8.0)


def test_more_than_a_machine_can_do_waits():
    """At half of what it can do, nobody waits long; at twice as much, longer and longer."""
    most = ALONE.run.max_batch / ALONE.run.seconds(ALONE.run.max_batch, 0.0)
    easy = simulate_arrivals(ALONE, [1.0] * 400, most / 2)
    full = simulate_arrivals(ALONE, [1.0] * 400, most * 2)
    assert easy.p95_s < 3 * ALONE.run.seconds(ALONE.run.max_batch, 0.0)
    assert full.audio_per_s == pytest.approx(most, rel=0.05)
    assert full.p95_s > 10 * easy.p95_s


def test_a_machine_that_dies_loses_what_it_has():
    env = simpy.Environment()
    machine, told = Machine(env, ALONE), []
    for _ in range(3):
        machine.serve(1.0, told.append)
    env.run(until=0.2)  # one is answered, two are in a run
    machine.die()
    env.run()
    assert told == [True, False, False]


def test_one_server_of_a_fleet_is_a_machine():
    fleet = Fleet(GPU, FleetPlan(1, 1, 0.6, 4.0)).run()
    lone = simulate_arrivals(GPU, [5.0] * 1500, 0.6 * most_audio_per_s(GPU) / 5.0)
    assert fleet.p50_s == pytest.approx(lone.p50_s, rel=0.1)


def test_deaths_lose_nothing_where_there_are_others():
    plan = FleetPlan(6, 2, 0.5, 1.5)
    quiet, deadly = Fleet(GPU, plan).run(), Fleet(GPU, replace(plan, deaths=2)).run()
    assert (quiet.lost, quiet.repeated) == (0, 0)
    assert deadly.repeated > 0
    assert deadly.lost == 0
    assert deadly.requests == quiet.requests
    assert deadly.slowest_s > quiet.slowest_s


def test_sessions_of_a_dead_server_go_on_elsewhere():
    result = Sessions(5, 2, 40).run()
    assert result.resumed >= 0.8 * result.mean
    assert result.fullest_after_death >= result.mean * 5 / 4
    assert result.fullest < result.fullest_after_death


@pytest.mark.parametrize(("sessions", "hours"), [(0, 0.0), (1, 0.0), (5000, 1e5), (0, 1e6)])
def test_a_plan_carries_its_load(sessions, hours):
    rates = machine_rates()
    plan = plan_for(rates, sessions, hours, price=4.0, busiest_hour=0.1)
    assert plan.for_sessions * FILLED * rates.sessions >= sessions
    assert plan.for_recordings * FILLED * rates.audio_per_s >= hours * 0.1
    assert plan.spare == math.ceil((plan.for_sessions + plan.for_recordings) / 10)
    assert plan.cost_per_day == 24 * 4.0 * plan.machines


def test_rates_are_of_streams_that_are_in_time():
    streams = {load["streams"]: load["p95_s"] for load in h200_record()["streams"]}
    sessions = machine_rates().sessions
    assert streams[sessions] <= LATE_S
    assert all(late > LATE_S for count, late in streams.items() if count > sessions)


@pytest.mark.parametrize("share", [0.0, 0.01, 1.5])
def test_a_busiest_hour_is_a_part_of_a_day(share):
    with pytest.raises(ValueError, match="busiest hour"):
        plan_for(machine_rates(), 1, 1, 1, share)


def test_the_command_says_machines_and_cost(capsys):
    assert main(["plan", "--sessions", "5000", "--hours-per-day", "100000", "--price", "2"]) == 0
    said = capsys.readouterr().out
    plan = plan_for(machine_rates(), 5000, 100000, 2, 0.12)
    assert f"**{plan.machines}**" in said
    assert f"{plan.cost_per_day:,.0f}" in said


def test_the_fleet_was_simulated_at_the_sizes_of_the_page():
    fleet = json.loads((RECORDS / "fleet.json").read_text())
    for rows in ([row for row in fleet["requests"] if row["deaths"]], fleet["sessions"]):
        assert {row["servers"] for row in rows} == {10, 100, 1000}
    assert all(row["lost"] == 0 for row in fleet["requests"])


def test_who_plans_needs_no_simulator():
    code = (
        "import sys; sys.modules['simpy'] = None\n"
        "from lab.capacity.__main__ import main; main(['plan', '--sessions', '5000'])"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
