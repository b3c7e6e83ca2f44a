"""Optimisation by the clock: schedule over a number of minutes, moving average, resuming."""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .workers import average_over_workers, join_workers

LONGEST_STEP_S = 10.0
"""A step that took longer was suspended; the schedule does not count the pause."""


@dataclass(frozen=True)
class Schedule:
    """Learning rate over wall time.

    minutes: length of the whole training; warmup_steps: linear rise; flat: the fraction of
    the time at the peak rate before a cosine descends to one per cent of it.
    """

    minutes: float
    peak: float
    warmup_steps: int
    flat: float = 0.25

    def rate(self, step: int, elapsed_s: float) -> float:
        """The learning rate at `step` after `elapsed_s` seconds of training."""
        progress = min(1.0, elapsed_s / (60 * self.minutes))
        descent = max(0.0, (progress - self.flat) / (1 - self.flat))
        cosine = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * descent))
        return self.peak * min(1.0, (step + 1) / self.warmup_steps) * cosine


class Trainer:
    """Runs steps until the schedule's time is over; saves and resumes its whole state.

    Of several workers the first evaluates and saves.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        directory: Path,
        schedule: Schedule,
        average_decay: float = 0.998,
        device: torch.device | None = None,
        save_every_s: float = 120.0,
    ) -> None:
        """model: trained where it is, or on `device`, to which it goes."""
        torch.set_flush_denormal(True)  # a fifth faster: late gradients are full of tiny numbers
        on_gpu = device is not None and device.type == "cuda"
        if on_gpu:
            torch.set_float32_matmul_precision("high")
        self.model, self._directory, self._schedule = model.to(device), directory, schedule
        self._save_every_s = save_every_s
        self.average = copy.deepcopy(model)
        self._averaged, self._current = (
            [t for t in each.state_dict().values() if t.is_floating_point()]
            for each in (self.average, self.model)
        )
        self._decay = average_decay
        self._optimiser = torch.optim.AdamW(
            [p for p in model.parameters() if p.requires_grad],
            lr=schedule.peak,
            betas=(0.9, 0.98),
            weight_decay=0.01,
            foreach=not on_gpu,
            fused=on_gpu,
        )
        self.step, self._elapsed_s = 0, 0.0
        self._history: list[dict[str, Any]] = []
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / "checkpoint.pt"
        if self._path.exists():
            self._resume()
        self._worker = join_workers()
        self.seed = self.step + 1_000_000 * self._worker
        """For the batches from here on; no two workers and no two starts have the same."""
        torch.manual_seed(torch.initial_seed() + self.seed)

    def _resume(self) -> None:
        device = next(self.model.parameters()).device
        state = torch.load(self._path, weights_only=False, map_location=device)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.step, self._elapsed_s = state["step"], state["elapsed_s"]
        self._history = state["history"]

    def save(self) -> None:
        """Writes checkpoint.pt (everything), average.pt (weights) and training_log.csv."""
        if self._worker:
            return
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "step": self.step,
            "elapsed_s": self._elapsed_s,
            "history": self._history,
        }
        for path, content in (
            (self._path, state),
            (self._directory / "average.pt", _on_cpu(state["average"])),
        ):
            partial = path.with_suffix(".partial")
            torch.save(content, partial)
            partial.rename(path)
        if self._history:
            fields = list(dict.fromkeys(key for row in self._history for key in row))
            with (self._directory / "training_log.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, fields)
                writer.writeheader()
                writer.writerows(self._history)

    def run(
        self,
        batches: Iterator[Any],
        loss_of: Callable[[torch.nn.Module, Any], tuple[torch.Tensor, dict[str, torch.Tensor]]],
        evaluate: Callable[[torch.nn.Module], dict[str, float]] | None,
        evaluate_every_s: float = 240.0,
        max_steps: int | None = None,
    ) -> None:
        """Trains until time is over; `evaluate` sees the averaged weights."""
        self.model.train()
        previous = time.monotonic()
        evaluated, saved = previous, previous
        sums: dict[str, torch.Tensor] = {}
        counted = 0
        while self._elapsed_s < 60 * self._schedule.minutes:
            if max_steps is not None and self.step >= max_steps:
                break
            rate = self._schedule.rate(self.step, self._elapsed_s)
            for group in self._optimiser.param_groups:
                group["lr"] = rate
            loss, stats = loss_of(self.model, next(batches))
            self._optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            self._elapsed_s = average_over_workers(self.model.parameters(), self._elapsed_s)
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            if torch.isfinite(norm):
                self._optimiser.step()
            self._update_average()
            self.step += 1
            counted += 1
            for name, value in stats.items():
                sums[name] = sums[name] + value.detach() if name in sums else value.detach()
            now = time.monotonic()
            self._elapsed_s += min(now - previous, LONGEST_STEP_S)
            previous = now
            if counted % 50 == 0:
                means = _means(sums, counted)
                print(f"{self._elapsed_s / 60:6.2f} min step {self.step} {means}", flush=True)
            if now - evaluated > evaluate_every_s:
                self._record(evaluate, _means(sums, counted), rate)
                sums, counted = {}, 0
                evaluated = saved = time.monotonic()
                self.save()
            elif now - saved > self._save_every_s:
                self.save()
                saved = time.monotonic()
        self._record(evaluate, _means(sums, counted), 0.0)
        self.save()

    def _update_average(self) -> None:
        decay = min(self._decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(self._averaged, self._current, 1 - decay)

    def _record(
        self,
        evaluate: Callable[[torch.nn.Module], dict[str, float]] | None,
        stats: dict[str, float],
        rate: float,
    ) -> None:
        if self._worker:
            return
        self.average.eval()
        figures = evaluate(self.average) if evaluate else {}
        row: dict[str, Any] = {
            "minutes": round(self._elapsed_s / 60, 2),
            "step": self.step,
            "learning_rate": f"{rate:.2e}",
        }
        row |= {name: round(value, 4) for name, value in (stats | figures).items()}
        self._history.append(row)
        print("EVAL", row, flush=True)


def _means(sums: dict[str, torch.Tensor], counted: int) -> dict[str, float]:
    """What was summed over `counted` steps, as numbers; asked for seldom, for a GPU must wait."""
    return {name: round(float(value) / max(counted, 1), 4) for name, value in sums.items()}


def _on_cpu(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights that a machine without this device can load."""
    return {name: tensor.cpu() for name, tensor in weights.items()}
