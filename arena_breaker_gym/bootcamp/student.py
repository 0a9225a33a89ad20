"""`Student`: who is taught: the shipped base, a preset, a checkpoint, or a model on a server."""

import re
from pathlib import Path

import torch

from arena_breaker_agents.nitrogen import REMOTE, NitroGenPolicy
from nitrogen_adapter import checkpoint
from nitrogen_adapter.inference import ChunkPredictor, LocalPredictor
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.presets import PRESETS, SHIPPED, file_of
from nitrogen_adapter.training.trainer import bfloat16_is_faster

FRAME_SIZE = 256  # pixels of a side; NitroGen's own, which a server does not tell


class Student:
    """One student before and after training, in one folder.

    A model on a server can be measured and not trained from here.
    """

    def __init__(self, source: str, folder: Path, *, seed: int) -> None:
        """Looks who it is; nothing is written yet.

        Args:
            source: "base", the name of a preset, a checkpoint file, or "tcp://host:port".
            folder: Where its trainings are kept.
            seed: Of a preset's first weights.

        Raises:
            ValueError: If it is none of these.
        """
        self.source = source
        self.folder = folder
        self.seed = seed
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self._file = None if self.remote else file_of(source)

    @property
    def remote(self) -> bool:
        """Whether a server predicts for it."""
        return self.source.startswith(REMOTE)

    def training_folder(self, name: str) -> Path:
        """Where a training is kept.

        Args:
            name: Of the student that comes out of it.
        """
        return self.folder / re.sub(r"\W+", "_", name)

    def trained(self, name: str) -> Path:
        """Where the checkpoint of a trained student lies."""
        return self.training_folder(name) / "model.pt"

    def fresh(self) -> NitroGen:
        """The model before training."""
        if self._file is None:
            return NitroGen.preset(self.source, seed=self.seed, device=self.device)
        return checkpoint.load(self._file, device=self.device)

    @property
    def frame_size(self) -> int:
        """Side of the frames that it looks at, in pixels."""
        own = self.source in PRESETS or self.source in SHIPPED
        return self.fresh().config.vision.image_size if own else FRAME_SIZE

    def agent(self, name: str, *, trained: bool, n_action_steps: int) -> NitroGenPolicy:
        """The agent that plays as a student does before or after a training.

        Args:
            name: Of its rows, and of its training.
            trained: Whether it plays as after training.
            n_action_steps: Actions of a chunk that it plays before it looks again.
        """
        predictor = self._predictor(name if trained else None)
        return NitroGenPolicy(predictor, name=name, n_action_steps=n_action_steps)

    def most_arenas(self) -> int | None:
        """Arenas that it can play in at once; None: any number."""
        if not self.remote:
            return None
        predictor = self._predictor(None)
        predictor.close()
        return predictor.max_sessions

    def _predictor(self, trained: str | None) -> ChunkPredictor:
        if self.remote:
            from nitrogen_adapter.remote.client import RemotePredictor

            return RemotePredictor(self.source)
        model = self.fresh()
        if trained is not None:
            model = checkpoint.load(self.trained(trained), device=self.device)
        small = self.source in PRESETS or self.source in SHIPPED
        # The small student denoises from zeros, to the middle of what it thinks likely: drawn
        # noise gives a likely action, a new one at every look, and its play trembles.
        return LocalPredictor(
            model, quiet=small, autocast=small and bfloat16_is_faster(self.device)
        )
