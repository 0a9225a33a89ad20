"""`ChunkPredictor`: frames in, chunks of gamepad rows out; and the one that runs a model here.

A predictor serves several players at once. Each is a session with noise, and where the model looks
at several frames a memory, of its own.

On a CPU what a player gets is the same to the bit however many play beside it (see `steady`).
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nitrogen_adapter import checkpoint, gamepad
from nitrogen_adapter.config import NitroGenConfig
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.steady import Steady
from nitrogen_adapter.vision import normalise

N_ACTION_STEPS = 9
"""Actions of a chunk that are played before the next look, unless said. Our own default."""

STUDENT_ACTION_STEPS = 3
"""The same of the laptop student, as it is played in training: `docs/results.md` has a row of 9."""


@dataclass(frozen=True)
class PackedTensor:
    """A tensor's bytes, and what they mean."""

    data: NDArray[np.uint8]
    shape: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: Tensor) -> Self:
        """Pack a tensor; one on the CPU is not copied."""
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        return cls(flat.view(torch.uint8).numpy(), tuple(tensor.shape), tensor.dtype)

    def unpacked(self) -> Tensor:
        """The tensor, over the same bytes."""
        with warnings.catch_warnings(action="ignore"):  # what is only read is never written to
            flat = torch.from_numpy(self.data)
        return flat.view(self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class PackedModel:
    """A model's weights and configuration.

    Attributes:
        weights: by name.
        config: as checkpoints have it.
    """

    weights: Mapping[str, PackedTensor]
    config: Mapping[str, object]

    @classmethod
    def of(cls, model: NitroGen) -> Self:
        """Pack a model."""
        weights = {name: PackedTensor.of(one) for name, one in model.state_dict().items()}
        return cls(weights, model.config.to_dict())

    def unpacked(self) -> NitroGen:
        """Make the model, to sample and not to train: its weights may be shared and read only."""
        with torch.device("meta"):
            model = NitroGen(NitroGenConfig.from_dict(self.config))
        weights = {name: one.unpacked() for name, one in self.weights.items()}
        return checkpoint.fill(model, weights).requires_grad_(False).eval()


class ChunkPredictor(Protocol):
    """Whatever predicts chunks for players; each player is a numbered session."""

    @property
    def name(self) -> str:
        """Stands in tables; other weights: another name."""

    @property
    def horizon(self) -> int:
        """Rows in a chunk."""

    @property
    def max_sessions(self) -> int | None:
        """Sessions that it can tell apart; None: any number."""

    def reset(self, sessions: Sequence[int], seed: int | None) -> None:
        """Forget what these sessions saw and seed their noise; None: any seed."""

    def predict(self, frames: NDArray[np.uint8], sessions: Sequence[int]) -> NDArray[np.float32]:
        """Predict what each session should press next.

        Args:
            frames: (n, H, W, 3) RGB, each session's newest.
            sessions: numbers of the n sessions, each at most once.

        Returns:
            (n, 18, 25) gamepad rows, buttons first.
        """

    def close(self) -> None:
        """Let go of sessions and connections."""


class LocalPredictor:
    """Runs a model for all sessions in one forward pass.

    On a CPU, what a session gets is the same to the bit however many play beside it (see `steady`),
    on one machine. On CUDA, or compiled, sums may be ordered differently for another number of
    sessions, so it agrees to rounding only. On CUDA it runs in bfloat16 unless told otherwise.
    """

    def __init__(
        self,
        model: NitroGen,
        *,
        name: str = "nitrogen",
        steps: int | None = None,
        guidance: float = 1.0,
        quiet: bool | None = None,
        game: str | int | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        compile: bool = False,
        autocast: bool = False,
    ) -> None:
        """Take a model over: it is moved to the device and into evaluation mode.

        Args:
            model: what predicts.
            name: stands in tables.
            steps: Euler steps; the model's own number where not given.
            guidance: how much the earlier frames are stressed; 1 for not at all.
            quiet: whether to denoise from zeros, to the middle of what it thinks likely, instead of
                drawn noise, which gives another likely chunk at every look; as suits the model
                where not given: the laptop student does.
            game: which game it plays, for a model that was told games apart.
            device: where it runs; where it is now if not given.
            dtype: of the weights and the computation; bfloat16 on CUDA, else as they are, if not
                given.
            compile: whether `torch.compile` makes it faster, after a slow first prediction.
            autocast: whether products are computed in bfloat16, whatever the weights are.

        Raises:
            ValueError: if `steps` is below 1 or the model does not know the game.
        """
        if steps is not None and steps < 1:
            raise ValueError(f"steps is {steps}; expected at least 1.")
        model.game_row(game)
        self.name = name
        self.model = _placed(model, device, dtype)
        self.steps = steps
        self.guidance = guidance
        self.quiet = model.config.is_student if quiet is None else quiet
        self.game = game
        self.compiled = compile
        self.autocast = autocast
        self.max_sessions: int | None = None
        self._earlier: dict[int, deque[Tensor]] = {}
        self._generators: dict[int, torch.Generator] = {}
        self._unused: dict[int, Tensor] = {}  # noise that was drawn for a prediction that failed
        self._steady = Steady(self.model)
        if compile:
            self.model.compile_parts()

    @property
    def horizon(self) -> int:
        """Rows in a chunk."""
        return self.model.config.action_horizon

    @property
    def n_action_steps(self) -> int:
        """Actions of a chunk that suit the model before it looks again."""
        return STUDENT_ACTION_STEPS if self.model.config.is_student else N_ACTION_STEPS

    @property
    def pixel_size(self) -> int | None:
        """Side of the frames that it learned from, in pixels; None: it scales whatever it gets."""
        config = self.model.config
        return config.vision.image_size if config.is_student else None

    @property
    def image_size(self) -> int:
        """Side of the frames that the model looks at; others are scaled to it."""
        return self.model.config.vision.image_size

    def reset(self, sessions: Sequence[int], seed: int | None) -> None:
        """Forget what these sessions saw and seed their noise; None: any seed."""
        for session in sessions:
            self._earlier[session] = deque(maxlen=self.model.config.frame_per_sample - 1)
            self._generators[session] = torch.Generator()
            self._unused.pop(session, None)
            if seed is None:
                self._generators[session].seed()
            else:
                self._generators[session].manual_seed(seed)

    def forget(self, sessions: Sequence[int]) -> None:
        """Drop sessions that will not come back."""
        for session in sessions:
            self._earlier.pop(session, None)
            self._generators.pop(session, None)
            self._unused.pop(session, None)

    @torch.inference_mode()
    def predict(self, frames: NDArray[np.uint8], sessions: Sequence[int]) -> NDArray[np.float32]:
        """Predict what each session should press next; see `ChunkPredictor.predict`.

        A session that was never reset begins with any seed. Frames of another size are scaled.
        One that fails leaves all sessions as they were.

        Raises:
            ValueError: if the frames are not (n, H, W, 3) uint8 for n sessions.
        """
        self.reset([one for one in sessions if one not in self._earlier], None)
        newest = self._prepared(frames, len(sessions))
        rows = np.empty((len(sessions), self.horizon, gamepad.ROW), dtype=np.float32)
        for places in self._by_frames_seen(sessions):
            shown = newest if len(places) == len(newest) else newest[places]  # spares a copy
            rows[places] = self._sample([sessions[place] for place in places], shown)
        for session, frame in zip(sessions, newest, strict=True):
            self._earlier[session].append(frame)
            self._unused.pop(session, None)
        return gamepad.new_layout(rows, old_layout=self.model.config.old_layout)

    def info(self) -> dict[str, Any]:
        """Return what the public server says about itself, without the checkpoint's path."""
        config = self.model.config
        return {
            "selected_game": self.game,
            "old_layout": config.old_layout,
            "cfg_scale": self.guidance,
            "context_length": config.frame_per_sample,
            "action_interleaving": False,
            "is_flowmatching": True,
            "action_downsample_ratio": 1,
        }

    def close(self) -> None:
        """Let go of the sessions."""
        self._earlier.clear()
        self._generators.clear()
        self._unused.clear()

    def packed(self) -> PackedPredictor:
        """How another process makes a predictor that predicts the same."""
        weight = next(self.model.parameters())
        return PackedPredictor(
            model=PackedModel.of(self.model),
            options={
                "name": self.name,
                "steps": self.steps,
                "guidance": self.guidance,
                "quiet": self.quiet,
                "game": self.game,
                "dtype": weight.dtype,
                "compile": self.compiled,
                "autocast": self.autocast,
            },
            gpu=weight.device.type == "cuda",
        )

    def _prepared(self, frames: NDArray[np.uint8], count: int) -> Tensor:
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[::3] != (count, 3):
            raise ValueError(
                f"frames are {frames.dtype} of the shape {frames.shape}; "
                f"expected uint8 ({count}, height, width, 3)."
            )
        pixels = normalise(scaled(frames, self.image_size))
        weight = next(self.model.parameters())
        return pixels.to(weight.device, weight.dtype)

    def _by_frames_seen(self, sessions: Sequence[int]) -> list[list[int]]:
        """Group the places of sessions that have seen equally many frames: one pass a group."""
        groups: dict[int, list[int]] = {}
        for place, session in enumerate(sessions):
            groups.setdefault(len(self._earlier[session]), []).append(place)
        return list(groups.values())

    def _sample(self, sessions: Sequence[int], newest: Tensor) -> NDArray[np.float32]:
        """Samples for sessions that have seen equally many frames: (n, 18, 25)."""
        pixels = self._pixels(sessions, newest)
        noise = self._noise(sessions).to(pixels.device)
        device = pixels.device.type
        alike = self._steady.on() if device == "cpu" and not self.compiled else nullcontext()
        with alike, torch.autocast(device, torch.bfloat16, enabled=self.autocast):
            rows = self.model.sample(pixels, noise, self.steps, self.guidance, game=self.game)
        return rows.float().cpu().numpy()

    def _pixels(self, sessions: Sequence[int], newest: Tensor) -> Tensor:
        """(n, frames, 3, S, S) what sessions see that have seen equally many frames."""
        if not self._earlier[sessions[0]]:
            return newest[:, None]  # spares a copy
        seen = zip(sessions, newest, strict=True)
        return torch.stack([torch.stack([*self._earlier[one], frame]) for one, frame in seen])

    def _noise(self, sessions: Sequence[int]) -> Tensor:
        config = self.model.config
        shape = (config.action_horizon, config.action_dim)
        if self.quiet:
            return torch.zeros((len(sessions), *shape))
        for one in sessions:
            if one not in self._unused:
                self._unused[one] = torch.randn(shape, generator=self._generators[one])
        return torch.stack([self._unused[one] for one in sessions])


@dataclass(frozen=True)
class PackedPredictor:
    """A `LocalPredictor` on its way to another process.

    Attributes:
        model: what predicts.
        options: the predictor's, except the device.
        gpu: whether it ran on one, and is to run on one again.
    """

    model: PackedModel
    options: Mapping[str, Any]
    gpu: bool

    def unpacked(self) -> LocalPredictor:
        """Make the predictor, on the first GPU that this process sees if it is to have one."""
        device = "cuda" if self.gpu and torch.cuda.is_available() else "cpu"
        return LocalPredictor(self.model.unpacked(), device=device, **self.options)


def scaled(frames: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Scale frames (n, H, W, 3) to (n, side, side, 3), bicubically, as SigLIP's own processor."""
    if frames.shape[1:3] == (side, side):
        return frames
    return np.stack([np.asarray(Image.fromarray(one).resize((side, side))) for one in frames])


def _placed(
    model: NitroGen, device: str | torch.device | None, dtype: torch.dtype | None
) -> NitroGen:
    weight = next(model.parameters())
    device = weight.device if device is None else torch.device(device)
    if dtype is None:
        dtype = torch.bfloat16 if device.type == "cuda" else weight.dtype
    return model.to(device, dtype).eval()
