"""Post-training: teach a NitroGen from frames and the actions that a tutor took after them.

The loop here knows no episodes, no files of them and no reports; it reports progress to a callback.
A run may be spread over several processes, and be saved at any step and resumed as if it
had gone on: with the same number of processes, to the bit.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from arena_breaker_gym._runtime.run_folder import with_new_names
from arena_breaker_gym._runtime.stored import is_number, is_whole
from nitrogen_adapter import checkpoint
from nitrogen_adapter.data.examples import Batch, Examples, TeacherTargets, batches
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.training.config import RENAMED, TrainingConfig
from nitrogen_adapter.training.lora import Adapters, add_adapters
from nitrogen_adapter.training.objective import (
    WITHOUT_SIGHT,
    WITHOUT_TARGETS,
    StepNoise,
    TrainingObjective,
)
from nitrogen_adapter.training.processes import Processes, keep_memory
from nitrogen_adapter.vision import PatchTower

_HALVES_AFTER = 5000
"""Steps after which the schedule "inverse_sqrt" has halved the rate. Our own value."""


class TrainingProgress(NamedTuple):
    """How far a training has come.

    Attributes:
        step: steps done.
        total_steps: steps of the whole training.
        fraction: share done, of the steps or of the seconds, whichever is further; in [0, 1].
        loss: of the last step.
        learning_rate: of the last step.
        gradient_norm: of the last step, before it was clipped.
        seconds: time spent training, before an interruption included.
        examples_per_second: over that time.
    """

    step: int
    total_steps: int
    fraction: float
    loss: float
    learning_rate: float
    gradient_norm: float
    seconds: float
    examples_per_second: float


class Trainer:
    """One training run, which can be saved at any step and resumed as if it had gone on."""

    adapters: Adapters | None = None
    """What learns with LoRA; `merge` makes the model an ordinary one again, after the end."""

    def __init__(
        self,
        model: NitroGen,
        examples: Examples,
        config: TrainingConfig | None = None,
        *,
        processes: Processes | None = None,
        workers: int = 0,
    ) -> None:
        """Prepare a run; nothing is trained yet.

        Args:
            model: what learns, in place, on this process's device.
            examples: frames and packed rows; or features and packed rows if the vision
                encoder is frozen.
            config: how to train; the published way where not given.
            processes: those that train together; this one alone where not given.
            workers: processes that make batches ahead, in each of those that train.

        Raises:
            ValueError: if auxiliary targets count and there are none, or features were computed
                ahead and the vision encoder is to learn.
        """
        self.model = model
        self.examples = examples
        self.config = config or TrainingConfig()
        self.step = 0
        self.seconds = 0.0
        self._processes = processes or Processes()
        self._workers = workers
        self._begun = 0  # step at which another training left off
        self._first = 0  # step from which on the examples are those there are now
        self._choose_what_learns()
        self._frames, teacher = self._look_at_examples()
        self._objective = TrainingObjective(model, self.config, teacher=teacher)
        self._parameters = self._objective.learning()
        # Not torch's `AveragedModel`: that copies the whole module, frozen parts too, and its decay
        # does not warm up.
        self._average = {name: p.detach().clone() for name, p in self._parameters.items()}
        self._factors, groups = self._groups()
        self._optimiser = torch.optim.AdamW(
            groups,
            lr=self.config.learning_rate,
            weight_decay=self.config.weight_decay,
            fused=True,
        )
        self._random = torch.Generator().manual_seed(self.config.seed)

    @property
    def total_steps(self) -> int:
        """Steps of the whole training, another's that it counts on from included."""
        return self._begun + (self.config.steps or self.config.epochs * self.steps_per_epoch)

    @property
    def steps_per_epoch(self) -> int:
        """Steps that one pass over the examples comes to."""
        return math.ceil(len(self.examples) / self.config.batch_size)

    @property
    def fraction(self) -> float:
        """Share done, of the steps or of the seconds, whichever is further; in [0, 1]."""
        limit = self.config.max_seconds
        by_clock = 0.0 if limit is None else self.seconds / limit
        by_steps = self._steps_done / (self.total_steps - self._begun)
        return min(1.0, max(by_steps, by_clock))

    @property
    def _steps_done(self) -> int:
        """Steps of this training, without those of another that it counts on from."""
        return self.step - self._begun

    @property
    def _patches_alone(self) -> bool:
        """Whether only the patches of the vision encoder are learning yet."""
        patches = self._frames and isinstance(self.model.vision_encoder, PatchTower)
        return patches and self.fraction < self.config.patches_first

    def learning(self) -> int:
        """Count the numbers of the model that learn."""
        return sum(p.numel() for p in self.model.learning().values())

    def run(
        self,
        on_step: Callable[[TrainingProgress], None] | None = None,
        *,
        until_step: int | None = None,
    ) -> NitroGen:
        """Train to the end, or until a step is reached.

        Args:
            on_step: told after every step how far the training has come.
            until_step: stop here, to save or to look; a later call goes on.

        Returns:
            The model, in evaluation mode, with the averaged weights if the end was reached and
            with the weights in training if not.

        Raises:
            ValueError: if the loss is no longer a number.
        """
        last = self.total_steps if until_step is None else min(until_step, self.total_steps)
        keep_memory()
        self.model.train()
        with contextlib.closing(self._pieces(last)) as pieces:
            while self.fraction < 1.0 and self.step < last:
                progress = self._timed_step(pieces)
                if on_step is not None:
                    on_step(progress)
        if self.fraction >= 1.0:
            self.use_average()
        return self.model.eval()

    def learn_from(self, examples: Examples) -> None:
        """Go on with other examples of the same kind, as when a student has played again."""
        self.examples = examples
        self._first = self.step

    def begin_at(self, step: int, seconds: float) -> None:
        """Count on from another training's steps, whose weights this one begins with.

        The configuration's steps come on top of them. The average goes on from there, and the rate
        of "inverse_sqrt" too, after another warm-up: what AdamW remembered is not known.
        """
        self.step, self.seconds, self._first, self._begun = step, seconds, step, step

    @torch.no_grad()
    def use_average(self) -> None:
        """Put the running average of the weights into the model."""
        for name, parameter in self._parameters.items():
            parameter.copy_(self._average[name])

    @contextlib.contextmanager
    def averaged(self) -> Iterator[NitroGen]:
        """Give the model in evaluation mode with the averaged weights, for as long as the block.

        No memory is needed for it: weights and averages change places, and back.
        """
        was_training = self.model.training
        self._swap()
        try:
            yield self.model.eval()
        finally:
            self._swap()
            self.model.train(was_training)

    # ---- save and resume ----

    def state_dict(self) -> dict[str, Any]:
        """Return all that the rest of the run depends on: tensors and plain values."""
        return {
            "settings": self.config.to_dict(),
            "examples": self._fixed_examples(),
            "step": self.step,
            "begun": self._begun,
            "seconds": self.seconds,
            "parameters": {name: p.detach() for name, p in self._parameters.items()},
            "average": self._average,
            "optimiser": self._optimiser.state_dict(),
            "random": self._random.get_state(),
        }

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned.

        Raises:
            ValueError: if it is of a run with other settings, examples or parameters.
        """
        own = {"settings": self.config.to_dict(), "examples": self._fixed_examples()}
        for name, value in own.items():
            if _settings_of(state[name]) != value:
                found = _cut(str(state[name]))
                raise ValueError(f"The saved run had other {name}: {found}, not {value}.")
        begun = state.get("begun", 0)  # stored trainings may be older than it
        if not (is_whole(state["step"]) and is_whole(begun) and is_number(state["seconds"])):
            raise ValueError("The saved run does not say how far it came.")
        if state["parameters"].keys() != self._parameters.keys():
            raise ValueError("The saved run trained other parameters than this one does.")
        for name, parameter in self._parameters.items():
            parameter.copy_(state["parameters"][name])
            self._average[name].copy_(state["average"][name])
        self._optimiser.load_state_dict(state["optimiser"])
        self._random.set_state(state["random"])
        self.step, self.seconds = state["step"], state["seconds"]
        self._begun = begun
        self._first = 0 if self.config.steps is None else self.step

    def save(self, path: str | Path) -> None:
        """Write the run to a file, whole or not at all."""
        checkpoint.write(path, self.state_dict())

    def resume(self, path: str | Path) -> None:
        """Go on from a file that `save` wrote.

        Raises:
            ValueError: if the file is no such run or is of another one.
        """
        state = checkpoint.read(path, expected=("parameters", "average", "settings"))
        try:
            self.load_state_dict(state)
        # What is missing or of another kind makes torch fail in any way.
        except (KeyError, TypeError, AttributeError, RuntimeError, IndexError) as error:
            raise ValueError(f"{path} is damaged, or holds no training like this one.") from error

    # ---- one step ----

    def _timed_step(self, pieces: Iterator[Batch]) -> TrainingProgress:
        started = time.perf_counter()
        rate = self._learning_rate()
        loss, norm = self._learn(rate, pieces)
        self.step += 1
        seconds = self.seconds + time.perf_counter() - started
        # All processes must agree when time is up.
        loss, seconds = self._processes.total((loss, seconds / self._processes.count))
        self.seconds = seconds
        if not math.isfinite(loss):
            raise ValueError(
                f"The loss of step {self.step} is {loss}; try a lower learning_rate than "
                f"{self.config.learning_rate}."
            )
        speed = self.step * self.config.batch_size / max(seconds, 1e-9)
        total = self.total_steps
        return TrainingProgress(self.step, total, self.fraction, loss, rate, norm, seconds, speed)

    def _learn(self, rate: float, pieces: Iterator[Batch]) -> tuple[float, float]:
        """Takes a step; returns this process's part of the loss, and the gradient's length."""
        self._optimiser.zero_grad()
        loss = self._add_gradients(pieces)
        self._processes.add_gradients(self._parameters.values())
        norm = self._clip_gradients()
        for factor, group in zip(self._factors, self._optimiser.param_groups, strict=True):
            group["lr"] = factor * rate
        self._optimiser.step()
        self._update_average()
        return loss.item(), norm.item()

    def _add_gradients(self, pieces: Iterator[Batch]) -> Tensor:
        seed = int(torch.randint(2**62, (), generator=self._random))
        count = len(self._order(self.step))
        noise = StepNoise.draw(self.model, self.config, count, seed=seed, frames=self._frames)
        objective = self._objective.patch_loss if self._patches_alone else self._objective.loss
        total = torch.zeros((), device=self._objective.device)
        for number, (first, end) in enumerate(self._shares(count)):
            if end == first:
                continue
            # Dropout draws from torch's global random numbers; here they are this piece's own.
            with self._own_random(
                seed + 1 + self._processes.rank * self.config.accumulate + number
            ):
                with self._autocast():
                    loss = objective(next(pieces), noise.part(first, end))
                part = loss * ((end - first) / count)
                part.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            total += part.detach()
        return total

    def _pieces(self, last: int) -> Generator[Batch]:
        """Yields this process's examples of every step to come, piece by piece."""

        def orders() -> Iterator[NDArray[np.int64]]:
            for step in range(self.step, last):
                rows = self._order(step)
                for first, end in self._shares(len(rows)):
                    if end > first:
                        yield rows[first:end]

        yield from batches(self.examples, orders(), workers=self._workers)

    def _order(self, step: int) -> NDArray[np.int64]:
        """Returns the examples of a step, over all pieces and processes."""
        epoch, place = divmod(step - self._first, self.steps_per_epoch)
        first = place * self.config.batch_size
        order = _shuffled(len(self.examples), self.config.seed, self._first, epoch)
        return order[first : first + self.config.batch_size]

    def _shares(self, count: int) -> list[tuple[int, int]]:
        return self._processes.share(count, self.config.accumulate)

    @contextlib.contextmanager
    def _own_random(self, seed: int) -> Iterator[None]:
        device = self._objective.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield

    def _autocast(self) -> torch.autocast:
        device = self._objective.device.type
        mixed = computes_in_bfloat16(self.config, device)
        return torch.autocast(device, dtype=torch.bfloat16, enabled=mixed)

    def _learning_rate(self) -> float:
        rate = self.config.learning_rate
        if self._steps_done < self.config.warmup_steps:
            rate *= (self._steps_done + 1) / self.config.warmup_steps
        if self.config.schedule == "cosine":
            rate *= 0.5 + 0.5 * math.cos(math.pi * self.fraction)
        elif self.config.schedule == "inverse_sqrt":
            rate *= math.sqrt(_HALVES_AFTER / (_HALVES_AFTER + 3 * self.step))
        return rate

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.config.ema_decay, self.step / (self.step + 9))
        # The average of what has never moved is what it is: most of a model, while patches learn.
        moved = {name: p for name, p in self._parameters.items() if p in self._optimiser.state}
        torch._foreach_lerp_(  # one call instead of one a parameter
            [self._average[name] for name in moved], [*moved.values()], 1.0 - decay
        )

    def _clip_gradients(self) -> Tensor:
        """Shortens the gradient to `clip_norm`; returns how long it was.

        Torch's `clip_grad_norm_` multiplies by one where nothing is to be shortened, which takes
        as long as a twentieth of a student's step.
        """
        parameters = self._parameters.values()
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if norm > self.config.clip_norm:
            nn.utils.clip_grads_with_norm_(parameters, self.config.clip_norm, norm)
        return norm

    def _swap(self) -> None:
        for name, parameter in self._parameters.items():
            parameter.data, self._average[name] = self._average[name], parameter.data

    # ---- preparation ----

    def _groups(self) -> tuple[list[float], list[dict[str, list[nn.Parameter]]]]:
        """Returns how many times the learning rate groups of parameters have, and the groups."""
        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in self._parameters.items():
            named = self.config.learning_rate_factors.items()
            factor = next((one for prefix, one in named if name.startswith(prefix)), 1.0)
            groups.setdefault(factor, []).append(parameter)
        return [*groups], [{"params": group} for group in groups.values()]

    def _choose_what_learns(self) -> None:
        config = self.config
        if self.model.gradient_checkpointing != config.gradient_checkpointing:
            self.model.gradient_checkpointing = config.gradient_checkpointing
        if config.lora_rank == 0:
            self.model.freeze(config.split)
            return
        self.adapters = add_adapters(
            self.model, rank=config.lora_rank, mlp=config.lora_mlp, seed=config.seed
        )

    def _fixed_examples(self) -> int | None:
        """How many examples there are, where the training is passes over them."""
        return None if self.config.steps is not None else len(self.examples)

    def _look_at_examples(self) -> tuple[bool, TeacherTargets | None]:
        """Returns whether examples are frames, and a teacher's targets of one, if it counts.

        Refuses what could not be learned from.
        """
        first = self.examples.batch(np.zeros(1, dtype=np.int64))
        config, shape = self.config, first.inputs.shape
        if first.inputs.dtype == np.uint8:
            if config.auxiliary_weight and first.auxiliary is None:
                raise ValueError(WITHOUT_TARGETS)
            if config.teacher_weight and first.teacher is None:
                raise ValueError("teacher_weight is above 0, but the examples come without one.")
            if config.alignment_weight and first.sight is None:
                raise ValueError(WITHOUT_SIGHT)
            return True, first.teacher if config.teacher_weight else None
        if not (config.features_are_frozen if len(shape) == 3 else config.tower_is_frozen):
            raise ValueError(
                f"The examples were seen ahead {shape}, but split {config.split!r} also trains "
                "what saw them; give it frames."
            )
        return False, None


def computes_in_bfloat16(config: TrainingConfig, device: str) -> bool:
    """Whether a training computes its products in mixed precision on a device."""
    return config.precision == "bfloat16" or (
        config.precision == "auto" and bfloat16_is_faster(device)
    )


def bfloat16_is_faster(device: str) -> bool:
    """Whether mixed precision pays on a device; a training says the same whenever it is resumed.

    It does on CUDA, on processors with AMX, and on AMD's with AVX512-BF16 (Zen 5: 1.5 times the
    examples a second). On Intel's with AVX512-BF16 but without AMX torch's convolutions took twice
    the time of single precision. `examples/student_speed.py` tells for any machine.
    """
    if device != "cpu":
        return device == "cuda"
    amd = "AMD" in str(torch.cpu.get_capabilities().get("cpu_name", ""))
    return torch.cpu._is_amx_tile_supported() or (amd and torch.cpu._is_avx512_bf16_supported())


def _settings_of(stored: object) -> object:
    """Settings as they were stored, by today's names, with later ones at their defaults."""
    if not isinstance(stored, Mapping):
        return stored
    return {**TrainingConfig().to_dict(), **with_new_names(dict(stored), RENAMED)}


@lru_cache(maxsize=2)
def _shuffled(count: int, seed: int, first: int, epoch: int) -> NDArray[np.int64]:
    """Returns the order of an epoch over examples that are there since step `first`.

    It depends on these numbers alone, so a resumed run needs no memory of it.
    """
    key = (seed, epoch) if first == 0 else (seed, epoch, first)
    order = np.random.default_rng(key).permutation(count)
    order.flags.writeable = False
    return order


def _cut(text: str, longest: int = 1000) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."
