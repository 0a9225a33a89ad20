"""Post-training: teach a NitroGen from frames and the actions that a tutor took after them.

Either everything is trained, or what sees is frozen and only what acts is trained on features
that were computed once, as the article does. The loop here knows nothing of episodes or files of
them; progress is reported to whoever asks for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nitrogen_adapter import checkpoint, gamepad
from nitrogen_adapter.examples import Batch, Examples
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.sight import SightHead, Sights
from nitrogen_adapter.vision import normalise

SCHEDULES = ("constant", "cosine")

PLAYED = ("LEFT_X", "LEFT_Y", "RIGHT_X", "RIGHT_Y", "RIGHT_SHOULDER")
"""What the arena is played with; the other 20 numbers of a row never change in a demonstration."""

PLAYED_WEIGHT = 30.0
"""Our own value. With all numbers alike, a student learned next to nothing of aiming in the time
that took it half the way with this weight: most of the loss was about buttons nobody presses."""


@dataclass(frozen=True, kw_only=True)
class PosttrainSettings:
    """How to train. The defaults suit the small student: few frames, in small steps.

    Attributes:
        epochs: passes over the examples; the article's four.
        max_seconds: stop after this long on the clock, or never. The learning rate then falls
            with the clock as well, so a run that is cut short ends as gently as a full one.
        freeze: whether what sees stays as it is and only what acts is trained.
        batch_size: examples in a step.
        draws: noises a step draws for each example; they share one look at the frame.
        learning_rate: the highest.
        warmup_steps: steps over which the learning rate rises to it.
        schedule: "constant" from then on, or "cosine" down to zero at the end.
        weight_decay: of AdamW.
        clip_norm: longest gradient.
        ema_decay: of the running average of the weights, which is what is kept in the end. It
            warms up, or a short run's average would stay at its start.
        mirror: whether every second example, by chance, is shown as in a mirror (frames only).
        jitter: how far brightness and colours are shifted by chance, 0 for not at all, in [0, 1]
            (frames only).
        weights: by name, how much a number of the gamepad row counts; those not named count 1.
            By default the sticks and the default dash button count more. A rare action, such as
            the dash, is lost in a plain fit.
        sight_weight: how much the noted sights count beside the actions; 0 for not at all. For a
            base that starts from nothing, where the simulator says what stands where (see
            `sight`).
        sight_kinds: kinds of things that sights tell apart, the player among them.
        seed: of the order of examples, the noise and the dropout.
    """

    epochs: int = 4
    max_seconds: float | None = None
    freeze: bool = False
    batch_size: int = 8
    draws: int = 2
    learning_rate: float = 1e-3
    warmup_steps: int = 50
    schedule: str = "cosine"
    weight_decay: float = 1e-3
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    mirror: bool = True
    jitter: float = 0.0
    weights: Mapping[str, float] = field(
        default_factory=lambda: dict.fromkeys(PLAYED, PLAYED_WEIGHT)
    )
    sight_weight: float = 0.0
    sight_kinds: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that cannot be meant.

        Raises:
            ValueError: if so, naming the setting.
        """
        for name in ("epochs", "batch_size", "draws"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1.")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule is {self.schedule!r}; expected one of {SCHEDULES}.")
        unknown = [name for name in self.weights if name not in gamepad.NEW_LAYOUT.names]
        if unknown:
            raise ValueError(f"weights names {unknown[0]!r}, which is no number of a gamepad row.")


class Progress(NamedTuple):
    """How far a training has come.

    Attributes:
        step: steps done.
        total_steps: steps that the epochs come to.
        fraction: share done, of the steps or of the seconds, whichever is further; in [0, 1].
        loss: of the last step.
        learning_rate: of the last step.
        seconds: time spent training, before an interruption included.
        examples_per_second: over that time.
    """

    step: int
    total_steps: int
    fraction: float
    loss: float
    learning_rate: float
    seconds: float
    examples_per_second: float


class Posttrainer:
    """One training run, which can be saved at any step and resumed as if it had gone on."""

    def __init__(
        self, model: NitroGen, examples: Examples, settings: PosttrainSettings | None = None
    ) -> None:
        """Prepare a run; nothing is trained yet.

        Args:
            model: what learns, in place.
            examples: frames and packed rows; features and packed rows if what sees is frozen.
            settings: how to train.
        """
        self.model = model
        self.examples = examples
        self.settings = settings or PosttrainSettings()
        if self.settings.freeze:
            model.freeze()
        self.step = 0
        self.seconds = 0.0
        self._head = self._sight_head()
        self._parameters = model.learning()
        self._parameters |= {f"sight.{name}": p for name, p in self._head.named_parameters()}
        self._average = {name: p.detach().clone() for name, p in self._parameters.items()}
        self._optimiser = torch.optim.AdamW(
            self._parameters.values(),
            lr=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
        )
        self._random = torch.Generator().manual_seed(self.settings.seed)
        self._weights = self._row_weights()

    @property
    def total_steps(self) -> int:
        """Steps that the epochs come to."""
        return self.settings.epochs * self._steps_per_epoch

    @property
    def fraction(self) -> float:
        """Share done, of the steps or of the seconds, whichever is further; in [0, 1]."""
        limit = self.settings.max_seconds
        by_clock = 0.0 if limit is None else self.seconds / limit
        return min(1.0, max(self.step / self.total_steps, by_clock))

    def run(
        self, on_step: Callable[[Progress], None] | None = None, *, until_step: int | None = None
    ) -> NitroGen:
        """Train to the end, or until a step is reached.

        Args:
            on_step: told after every step how far the training has come.
            until_step: stop here, to save or to look; a later call goes on.

        Returns:
            The model, in evaluation mode, with the averaged weights if the end was reached and
            with the weights in training if not.
        """
        self.model.train()
        while self.fraction < 1.0 and (until_step is None or self.step < until_step):
            progress = self._timed_step()
            if on_step is not None:
                on_step(progress)
        if self.fraction >= 1.0:
            self.use_average()
        return self.model.eval()

    @torch.no_grad()
    def use_average(self) -> None:
        """Put the running average of the weights into the model."""
        for name, parameter in self._parameters.items():
            parameter.copy_(self._average[name])

    # ---- save and resume ----

    def state_dict(self) -> dict[str, Any]:
        """Return all that the rest of the run depends on: tensors and plain values."""
        return {
            "settings": _plain(self.settings),
            "examples": len(self.examples),
            "step": self.step,
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
        own = {"settings": _plain(self.settings), "examples": len(self.examples)}
        for name, value in own.items():
            if state[name] != value:
                raise ValueError(f"The saved run had other {name}: {state[name]}, not {value}.")
        if state["parameters"].keys() != self._parameters.keys():
            raise ValueError("The saved run trained other parameters than this one does.")
        for name, parameter in self._parameters.items():
            parameter.copy_(state["parameters"][name])
            self._average[name].copy_(state["average"][name])
        self._optimiser.load_state_dict(state["optimiser"])
        self._random.set_state(state["random"])
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self, path: str | Path) -> None:
        """Write the run to a file, whole or not at all."""
        checkpoint.write(path, self.state_dict())

    def resume(self, path: str | Path) -> None:
        """Go on from a file that `save` wrote.

        Raises:
            ValueError: if the file is no such run or is of another one.
        """
        self.load_state_dict(checkpoint.read(path, expected=("parameters", "average", "settings")))

    # ---- one step ----

    @property
    def _steps_per_epoch(self) -> int:
        return math.ceil(len(self.examples) / self.settings.batch_size)

    def _timed_step(self) -> Progress:
        started = time.perf_counter()
        rate = self._learning_rate()
        loss = self._learn(rate)
        self.step += 1
        self.seconds += time.perf_counter() - started
        seen = self.step * self.settings.batch_size
        speed = seen / max(self.seconds, 1e-9)
        return Progress(self.step, self.total_steps, self.fraction, loss, rate, self.seconds, speed)

    def _learn(self, rate: float) -> float:
        batch = self._batch()
        # Dropout and noise draw from torch's global random numbers; here they are this step's
        # own, and the caller's are left as they were.
        seed = int(torch.randint(2**62, (), generator=self._random))
        device = self._device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            loss = self._loss(batch)
            self._optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        nn.utils.clip_grad_norm_(self._parameters.values(), self.settings.clip_norm)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        self._update_average()
        return loss.item()

    def _batch(self) -> Batch:
        epoch, place = divmod(self.step, self._steps_per_epoch)
        # The order of an epoch depends on its number alone, so a resumed run needs no memory of it.
        order = np.random.default_rng((self.settings.seed, epoch)).permutation(len(self.examples))
        first = place * self.settings.batch_size
        return self.examples.batch(order[first : first + self.settings.batch_size])

    def _loss(self, batch: Batch) -> Tensor:
        if batch.inputs.dtype != np.uint8:
            features = torch.from_numpy(batch.inputs).to(self._device)
            return self._action_loss(features, batch)
        if self.settings.mirror:
            batch = self._mirror_some(batch)
        pixels = _jitter(normalise(batch.inputs).to(self._device), self.settings.jitter)
        features = self.model.encode(pixels[:, None])
        loss = self._action_loss(features, batch)
        if self.settings.sight_weight:
            loss = loss + self.settings.sight_weight * self._sight_loss(features, batch)
        return loss

    def _action_loss(self, features: Tensor, batch: Batch) -> Tensor:
        return self.model.loss(
            None,
            torch.from_numpy(batch.actions).to(self._device),
            features=features,
            draws=self.settings.draws,
            weights=self._weights,
        )

    def _sight_loss(self, features: Tensor, batch: Batch) -> Tensor:
        if batch.sights is None:
            raise ValueError("sight_weight is above 0, but the examples come without sights.")
        sights = Sights(*(part.to(self._device) for part in Sights.of(batch.sights)))
        # Tokens padded on the left stand for no part of the frame.
        return self._head.loss(features[:, -(self._head.grid**2) :], sights)

    def _mirror_some(self, batch: Batch) -> Batch:
        mirror = batch.mirrored(old_layout=self.model.config.old_layout)
        for number in torch.nonzero(torch.rand(len(batch.inputs)) < 0.5).flatten().tolist():
            for own, other in zip(mirror, batch, strict=True):
                if own is not None and other is not None:
                    own[number] = other[number]
        return mirror

    def _learning_rate(self) -> float:
        rate = self.settings.learning_rate
        if self.step < self.settings.warmup_steps:
            rate *= (self.step + 1) / self.settings.warmup_steps
        if self.settings.schedule == "cosine":
            rate *= 0.5 + 0.5 * math.cos(math.pi * self.fraction)
        return rate

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.settings.ema_decay, self.step / (self.step + 9))
        for name, parameter in self._parameters.items():
            self._average[name].lerp_(parameter, 1.0 - decay)

    def _sight_head(self) -> SightHead:
        config = self.model.config.vision
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            head = SightHead(config.hidden_size, self.settings.sight_kinds, config.grid)
        return head.to(self._device)

    def _row_weights(self) -> Tensor:
        names = gamepad.layout(old_layout=self.model.config.old_layout).names
        weights = [self.settings.weights.get(name, 1.0) for name in names]
        return torch.tensor(weights, device=self._device)

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device


def _jitter(pixels: Tensor, strength: float) -> Tensor:
    """Shift contrast and the three colours of every frame (n, 3, S, S) by chance."""
    if strength == 0.0:
        return pixels
    n = len(pixels)
    contrast = 1.0 + strength * (2.0 * torch.rand(n, 1, 1, 1) - 1.0)
    colour = strength * (2.0 * torch.rand(n, 3, 1, 1) - 1.0)
    return pixels * contrast.to(pixels.device) + colour.to(pixels.device)


def _plain(settings: PosttrainSettings) -> dict[str, Any]:
    return {**asdict(settings), "weights": dict(settings.weights)}
