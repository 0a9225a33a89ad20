"""`TrainingConfig`: how a post-training is done, the published way or the small student's.

The kinds are NitroGen's published ones; how strong each is was not published, and the strengths
here are our own. Rotating a frame by a few degrees leaves its labels as they are, as published, so
that "right" means up to 5 degrees beside right. Mirroring, which also changes the sticks, is the
config's and not among these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor

from arena_breaker_gym._runtime.plain import check_kinds
from nitrogen_adapter import gamepad
from nitrogen_adapter.data.features import SEES
from nitrogen_adapter.splits import DEFAULT_SPLIT, OLD_SPLITS, in_split, split_named

DRAWN = 8
"""Numbers drawn for an example: brightness, contrast, saturation, hue, rotation, and the size of
the crop and its place across and down."""

# Brightness and the two axes of colour of the NTSC, whose plane a hue turns in.
_TO_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))

SCHEDULES = ("constant", "cosine", "inverse_sqrt")

PRECISIONS = ("auto", "float32", "bfloat16")

_LATER: Mapping[str, object] = MappingProxyType(
    {
        "action_weight": 1.0,
        "action_discount": 1.0,
        "alignment_weight": 0.0,
        "learning_rate_factors": {},
        "patches_first": 0.0,
        "recentred_gradient": True,
    }
)
"""Settings that stored runs may be older than, and what they were before."""

RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "draws": "noise_samples",
        "sight_weight": "auxiliary_weight",
        "sight_kinds": "auxiliary_kinds",
        **OLD_SPLITS,
    }
)
"""What stored runs may call by an old name: entries of a configuration, and values."""

PLAYED = ("LEFT_X", "LEFT_Y", "RIGHT_X", "RIGHT_Y", "RIGHT_SHOULDER")
"""What the arena is played with; the other 20 numbers of a row never change in a demonstration."""

PLAYED_WEIGHT = 30.0
"""Our own value. With all numbers alike, a student learned next to nothing of aiming in the time
that took it half the way with this weight: most of the loss was about buttons that are
never pressed."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far each kind of change goes; all zeros change nothing.

    Attributes:
        brightness: colours are scaled by 1 ± this.
        contrast: their distance from the frame's mean brightness is scaled by 1 ± this.
        saturation: their distance from grey is scaled by 1 ± this.
        hue: colours are turned by ± this share of the whole circle, up to 0.5.
        rotation: frames are turned by ± this many degrees.
        crop: up to this share of a frame's side is cut off, and the rest enlarged; below 1.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    rotation: float = 0.0
    crop: float = 0.0

    def __post_init__(self) -> None:
        """Refuse strengths that cannot be meant.

        Raises:
            ValueError: if so, naming the strength.
        """
        check_kinds(self)
        bounds = {"hue": 0.5, "rotation": 180.0, "crop": 0.9}
        for name in ("brightness", "contrast", "saturation", "hue", "rotation", "crop"):
            value, most = getattr(self, name), bounds.get(name, 1.0)
            if not 0.0 <= value <= most:
                raise ValueError(f"{name} is {value}; expected 0 to {most:g}.")

    @classmethod
    def published(cls) -> Augmentation:
        """Return all kinds that NitroGen was trained with; the strengths are our own but one."""
        return cls(
            brightness=0.2,
            contrast=0.2,
            saturation=0.2,
            hue=0.05,
            rotation=5.0,  # published
            crop=0.1,
        )

    def __bool__(self) -> bool:
        """Whether anything is changed at all."""
        return self != Augmentation()

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw (count, 8) numbers in [-1, 1) that say how each example is changed."""
        uniform = torch.rand(count, DRAWN, generator=generator, device=generator.device)
        return 2.0 * uniform - 1.0

    def apply(self, pixels: Tensor, drawn: Tensor) -> Tensor:
        """Change frames; those of one example alike.

        Args:
            pixels: (n, F, 3, S, S) in [-1, 1].
            drawn: (n, 8) what `draw` returned for these examples.

        Returns:
            (n, F, 3, S, S) in [-1, 1].
        """
        if not self:
            return pixels
        # Three digits, as mixed precision would leave, are too few for colours.
        with torch.autocast(pixels.device.type, enabled=False):
            return self._changed(pixels, drawn.to(pixels))

    def _changed(self, pixels: Tensor, drawn: Tensor) -> Tensor:
        brightness, contrast, saturation, hue, rotation, size, left, top = drawn.T
        colours = (pixels + 1.0) / 2.0
        colours = colours * _over_frames(1.0 + self.brightness * brightness)
        turned = self._in_colour(colours, contrast, saturation, hue).clamp(0.0, 1.0)
        moved = self._in_place(turned, rotation, (size + 1.0) / 2.0, torch.stack([left, top]))
        return moved * 2.0 - 1.0

    def _in_colour(
        self, colours: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor
    ) -> Tensor:
        to_yiq = torch.tensor(_TO_YIQ).to(colours)
        yiq = torch.einsum("ij,nfjxy->nfixy", to_yiq, colours)
        light, colour = yiq[:, :, :1], yiq[:, :, 1:]
        mean = light.mean(dim=(-1, -2), keepdim=True)
        stretch = _over_frames(1.0 + self.contrast * contrast)
        light = mean + (light - mean) * stretch
        angle = _over_frames(2.0 * math.pi * self.hue * hue)
        first, second = colour[:, :, :1], colour[:, :, 1:]
        turned = [
            light,
            first * angle.cos() - second * angle.sin(),
            first * angle.sin() + second * angle.cos(),
        ]
        scale = stretch * _over_frames(1.0 + self.saturation * saturation)
        turned[1:] = [part * scale for part in turned[1:]]
        from_yiq = torch.linalg.inv(to_yiq)
        return torch.einsum("ij,nfjxy->nfixy", from_yiq, torch.cat(turned, dim=2))

    def _in_place(self, frames: Tensor, rotation: Tensor, size: Tensor, place: Tensor) -> Tensor:
        if not self.rotation and not self.crop:
            return frames
        count = frames.shape[1]
        angle = math.radians(self.rotation) * rotation
        kept = 1.0 - self.crop * size  # of a side
        move = (1.0 - kept) * place  # of half a side
        rows = torch.stack(
            [
                torch.stack([kept * angle.cos(), -kept * angle.sin(), move[0]], dim=-1),
                torch.stack([kept * angle.sin(), kept * angle.cos(), move[1]], dim=-1),
            ],
            dim=1,
        )
        flat = frames.flatten(0, 1)
        where = F.affine_grid(
            rows.repeat_interleave(count, 0), list(flat.shape), align_corners=False
        )
        seen = F.grid_sample(flat, where, padding_mode="border", align_corners=False)
        return seen.reshape(frames.shape)


def _over_frames(values: Tensor) -> Tensor:
    """Put (n,) values before frames (n, F, 3, S, S)."""
    return values[:, None, None, None, None]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How to train. The defaults are NitroGen's published ones, for its real checkpoint.

    Published are the split, the optimiser, its weight decay, the learning rate and its schedule,
    the average's decay and the kinds of augmentation; four epochs are the article's. The batch
    size, the length of the warm-up and the longest gradient are our own.

    Attributes:
        epochs: passes over the examples.
        steps: optimiser steps in all, where they are not to follow from the epochs.
        max_seconds: stop after this long on the clock, or never. The learning rate then falls
            with the clock as well, so a run that is cut short ends as gently as a full one; and
            no two runs are alike.
        split: the part of the model that learns, a name of `splits.SPLITS`.
        lora_rank: 0 trains the split's own weights; above, those stay as they are and adapters of
            this rank learn beside the action transformer's attention (see `lora`).
        lora_mlp: whether its MLPs get adapters too.
        batch_size: examples in a step, over all pieces and processes.
        accumulate: pieces that a step's examples are taken in, one after another, where all
            at once would not fit in memory. Dropout aside, it changes nothing but rounding.
        noise_samples: noises a step draws for each example; they share one look at the frame.
        learning_rate: the highest.
        learning_rate_factors: how many times that rate parts of the model have, by how the names of
            their parameters begin (discriminative fine-tuning, Howard and Ruder 2018, arXiv
            1801.06146); those not named have it once.
        warmup_steps: steps over which the learning rate rises to it.
        schedule: "constant" from then on, "cosine" down to zero at the end, or "inverse_sqrt": with
            the root of the steps since the warm-up, for a training whose end is open.
        weight_decay: of AdamW.
        clip_norm: longest gradient.
        ema_decay: of the running average of the weights, which is what is kept in the end. It
            warms up, or a short run's average would stay at its start.
        precision: "bfloat16" computes in mixed precision, "float32" in single, "auto" mixed where
            it is faster (see `trainer.bfloat16_is_faster`). Weights and their averages are single
            in any case.
        gradient_checkpointing: whether blocks are computed again in the backward pass, which saves
            memory for time.
        mirror: whether every second example, by chance, is shown as in a mirror (frames only);
            left and right of the sticks change places with it.
        augment: how frames are changed by chance (frames only).
        weights: by name, how much a number of the gamepad row counts; those not named count 1.
            A rare action, such as the dash, is lost in a plain fit.
        action_weight: how much the actions count beside what follows; 0 for not at all.
        action_discount: how much each action of a chunk counts of what the one before it counts:
            below 1 where few of a chunk are played before the next look.
        auxiliary_weight: how much the auxiliary targets count beside the actions; 0: not at all.
            The simulator says what stands where (see `data.auxiliary`).
        auxiliary_kinds: kinds of things that auxiliary targets tell apart, the player among them.
        teacher_weight: how much a teacher's whole distribution and features count beside the
            actions; 0 for not at all.
        alignment_weight: how much it counts that a frame is seen as the examples' `SightTargets`
            say, the same moment in a look that a model knows (see `alignment`); 0: not at all.
        patches_first: share of the training, at its start, in which a patch tower's patches alone
            are aligned and nothing else counts: less than half the work.
        recentred_gradient: whether a patch tower's patches learn from both whole frames that it
            sees, or from the plain one alone and not from that with the player in its middle.
        game: what the examples are of, for a model that tells games apart: a name or a number.
        seed: of the order of examples, the noise, the augmentation and the dropout.
    """

    epochs: int = 4
    steps: int | None = None
    max_seconds: float | None = None
    split: str = DEFAULT_SPLIT
    lora_rank: int = 0
    lora_mlp: bool = False
    batch_size: int = 32
    accumulate: int = 1
    noise_samples: int = 1
    learning_rate: float = 1e-4
    learning_rate_factors: Mapping[str, float] = field(default_factory=dict)
    warmup_steps: int = 100
    schedule: str = "constant"
    weight_decay: float = 1e-3
    clip_norm: float = 1.0
    ema_decay: float = 0.9999
    precision: str = "auto"
    gradient_checkpointing: bool = False
    mirror: bool = False
    augment: Augmentation = field(default_factory=Augmentation)
    weights: Mapping[str, float] = field(default_factory=dict)
    action_weight: float = 1.0
    action_discount: float = 1.0
    auxiliary_weight: float = 0.0
    auxiliary_kinds: int = 8
    teacher_weight: float = 0.0
    alignment_weight: float = 0.0
    patches_first: float = 0.0
    recentred_gradient: bool = True
    game: str | int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that cannot be meant.

        Raises:
            ValueError: if so, naming the setting.
        """
        check_kinds(self)
        self._check_numbers()
        for name, known in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected one of {known}.")
        object.__setattr__(self, "split", split_named(self.split))
        if self.lora_rank > 0 and self.split != DEFAULT_SPLIT:
            raise ValueError(
                f"split is {self.split!r} and lora_rank {self.lora_rank}: with LoRA only the "
                f"adapters learn; leave split at {DEFAULT_SPLIT!r}."
            )
        self._check_weights()

    def _check_numbers(self) -> None:
        for name in ("epochs", "batch_size", "accumulate", "noise_samples", "auxiliary_kinds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1.")
        for name in (
            "lora_rank",
            "warmup_steps",
            "weight_decay",
            "action_weight",
            "auxiliary_weight",
            "teacher_weight",
            "alignment_weight",
            "seed",
        ):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 0 or more.")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected above 0.")
        if not 0.0 < self.action_discount <= 1.0:
            raise ValueError(
                f"action_discount is {self.action_discount}; expected above 0 and at most 1."
            )
        if not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(f"ema_decay is {self.ema_decay}; expected 0 or more and below 1.")
        self._check_limits()
        self._check_factors()

    def _check_limits(self) -> None:
        if self.max_seconds is not None and not self.max_seconds > 0.0:
            raise ValueError(f"max_seconds is {self.max_seconds}; expected above 0.")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps is {self.steps}; expected at least 1.")
        if self.mirror and self.teacher_weight:
            raise ValueError("A teacher's features cannot be mirrored: leave mirror off.")
        if self.mirror and self.alignment_weight:
            raise ValueError("What another look shows is not mirrored: leave mirror off.")
        if self.alignment_weight and (self.augment.rotation or self.augment.crop):
            raise ValueError("What another look shows is not moved: leave rotation and crop at 0.")
        if self.accumulate > self.batch_size:
            raise ValueError(
                f"accumulate is {self.accumulate}; a batch_size of {self.batch_size} has no more "
                "pieces than examples."
            )

    def _check_factors(self) -> None:
        told = (self.action_weight, self.auxiliary_weight, self.teacher_weight)
        if not any((*told, self.alignment_weight)):
            raise ValueError("action_weight is 0 and nothing else counts; expected above 0.")
        if not 0.0 <= self.patches_first <= 1.0:
            raise ValueError(f"patches_first is {self.patches_first}; expected 0 to 1.")
        if self.patches_first and (self.tower_is_frozen or not self.alignment_weight):
            raise ValueError(
                f"patches_first is {self.patches_first}, but patches learn nothing: split is "
                f"{self.split!r}, alignment_weight {self.alignment_weight}."
            )
        for name, factor in self.learning_rate_factors.items():
            if not 0.0 <= factor < float("inf"):
                raise ValueError(
                    f"The learning rate's factor of {name!r} is {factor}; expected 0 or more."
                )

    def _check_weights(self) -> None:
        for name, weight in self.weights.items():
            if name not in gamepad.NEW_LAYOUT.names:
                raise ValueError(f"weights names {name!r}, which is no number of a gamepad row.")
            if not 0.0 <= weight < float("inf"):
                raise ValueError(f"The weight of {name} is {weight}; expected 0 or more.")
        if len(self.weights) == len(gamepad.NEW_LAYOUT.names) and not any(self.weights.values()):
            raise ValueError("All weights are 0, so there is nothing to learn.")

    @classmethod
    def student(cls, **changes: object) -> TrainingConfig:
        """Return the config of the small student, which starts from nothing on few frames.

        All of it learns, in small steps, at a high rate that falls to zero; the sticks and the
        default dash button count more, and the simulator says what stands where.

        Args:
            changes: settings that are to be others.

        Raises:
            ValueError: if a setting cannot be meant.
        """
        values: dict[str, Any] = {
            "split": "all",
            "batch_size": 8,
            "noise_samples": 2,
            "learning_rate": 1e-3,
            "warmup_steps": 50,
            "schedule": "cosine",
            "ema_decay": 0.999,
            "precision": "float32",
            "mirror": True,
            "weights": dict.fromkeys(PLAYED, PLAYED_WEIGHT),
            "auxiliary_weight": 1.0,
        }
        return cls(**{**values, **changes})

    @classmethod
    def adapting(cls, **changes: object) -> TrainingConfig:
        """Return how the shipped base is taught another look, for four epochs.

        All of it learns: NitroGen's vision encoder has seen the world and may be frozen, the base's
        has seen six looks and is almost blind in a seventh. Sticks and default dash button count
        more than the twenty buttons that are never pressed. What else is known of the moments is
        told as well: what stands where, what the teacher thinks, and how a look that the base knows
        shows them.

        Args:
            changes: settings that are to be others.

        Raises:
            ValueError: if a setting cannot be meant.
        """
        values: dict[str, Any] = {
            "split": "all",
            "batch_size": 64,
            "learning_rate": 1e-3,
            "warmup_steps": 50,
            "schedule": "cosine",
            "ema_decay": 0.99,
            "weights": dict.fromkeys(PLAYED, PLAYED_WEIGHT),
            "auxiliary_weight": 0.3,
            "teacher_weight": 0.1,
            "alignment_weight": 1.0,
        }
        return cls(**{**values, **changes})

    @classmethod
    def aligning(cls, **changes: object) -> TrainingConfig:
        """Return how the shipped base learns to see in another look, before it learns to act there.

        Frames of one moment in both looks are all that it learns from. The vision encoder alone
        learns: where attention and auxiliary targets learned as well, patches were further off
        after 100,000 examples (0.26 of their variance, not 0.17). What is nearest to the pixels,
        patches and the convolutions over them, has most to learn anew: it learns four times as
        fast, and at first alone: what is made of patches tells them little until they are about
        right. The same patches see the frame twice, and learn from it once. Features of frames that
        were kept apart were as far off as without these two after 25,600 examples (0.103 of their
        variance, not 0.110), in two fifths of the time.

        Args:
            changes: settings that are to be others.

        Raises:
            ValueError: if a setting cannot be meant.
        """
        near_pixels = [f"vision_encoder.{part}" for part in ("patches", "fovea", "thin_out")]
        values: dict[str, Any] = {
            "split": "vision_encoder",
            "learning_rate_factors": dict.fromkeys(near_pixels, 4.0),
            "ema_decay": 0.995,
            "action_weight": 0.0,
            "auxiliary_weight": 0.0,
            "teacher_weight": 0.0,
            "patches_first": 0.5,
            "recentred_gradient": False,
        }
        return cls.adapting(**{**values, **changes})

    @classmethod
    def distilling(cls, **changes: object) -> TrainingConfig:
        """Return how a small student learns from labels of all the states that it reaches.

        All of it learns, from many more examples than some episodes hold, and is told besides what
        stands where and what the teacher thinks; the gradient of the flow's loss is small beside
        those, and so is the longest. The actions that are played before the next look count most.

        Args:
            changes: settings that are to be others.

        Raises:
            ValueError: if a setting cannot be meant.
        """
        values: dict[str, Any] = {
            "batch_size": 128,
            "learning_rate": 3e-4,
            "warmup_steps": 150,
            "clip_norm": 0.1,
            "ema_decay": 0.995,
            "action_discount": 0.9,
            "alignment_weight": 0.0,
        }
        return cls.adapting(**{**values, **changes})

    @property
    def features_are_frozen(self) -> bool:
        """Whether all that sees stays as it is, so that features may be computed ahead."""
        return not any(in_split(name, self.split) for name in SEES)

    @property
    def tower_is_frozen(self) -> bool:
        """Whether the vision tower stays as it is, so that its tokens may be computed ahead."""
        return not in_split("vision_encoder.", self.split)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        values = {**asdict(self), "weights": dict(self.weights)}
        # Runs that were begun before there were these settings say nothing of them, and go on.
        return {k: v for k, v in values.items() if k not in _LATER or v != _LATER[k]}


TRAINING_CONFIGS: Mapping[str, Callable[..., TrainingConfig]] = MappingProxyType(
    {
        "published": TrainingConfig,
        "student": TrainingConfig.student,
        "adapting": TrainingConfig.adapting,
    }
)
"""The recipes by name: each is called with the settings that are to be others."""
