"""`Student`: who is put to school: a preset that starts from nothing, a checkpoint, or a server."""

from pathlib import Path

import torch

from agents.nitrogen import NitroGenPolicy
from agents.source import REMOTE
from nitrogen_adapter import checkpoint
from nitrogen_adapter.inference import ChunkPredictor, LocalPredictor
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.presets import PRESETS, preset_config

FRAME_SIZE = 256  # pixels of a side; NitroGen's own, which a server does not tell


class Student:
    """One student before and after training, in one folder.

    A model on a server can be measured and not trained from here.
    """

    def __init__(self, source: str, folder: Path, *, seed: int) -> None:
        """Looks who it is; nothing is written yet.

        Args:
            source: The name of a preset, a checkpoint file, or "tcp://host:port".
            folder: Where checkpoints are written.
            seed: Of a preset's first weights.

        Raises:
            ValueError: If it is none of these.
        """
        self.source = source
        self.folder = folder
        self.seed = seed
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        if source not in PRESETS and not self.remote and not Path(source).is_file():
            raise ValueError(
                f"There is no student {source!r}; expected one of {', '.join(PRESETS)}, "
                "a checkpoint file, or a server as in tcp://127.0.0.1:5555."
            )

    @property
    def remote(self) -> bool:
        """Whether a server predicts for it."""
        return self.source.startswith(REMOTE)

    @property
    def before(self) -> Path:
        """Where its checkpoint before training lies."""
        return self.folder / "zero-shot.pt" if self.source in PRESETS else Path(self.source)

    @property
    def after(self) -> Path:
        """Where its checkpoint after training lies."""
        return self.folder / "post-trained.pt"

    def enrol(self) -> None:
        """Writes the checkpoint of a preset before training, if that is not done yet."""
        if self.source in PRESETS and not self.before.exists():
            checkpoint.save(self.before, NitroGen.preset(self.source, seed=self.seed))

    @property
    def frame_size(self) -> int:
        """Side of the frames that it looks at, in pixels."""
        if self.source in PRESETS:
            return preset_config(self.source).vision.image_size
        return FRAME_SIZE

    def agent(self, name: str, *, trained: bool, execute: int) -> NitroGenPolicy:
        """The agent that plays as the student does before or after training."""
        return NitroGenPolicy(self._predictor(trained=trained), name=name, execute=execute)

    def most_arenas(self) -> int | None:
        """Arenas that it can play in at once; None: any number."""
        if not self.remote:
            return None
        predictor = self._predictor(trained=False)
        predictor.close()
        return predictor.max_sessions

    def _predictor(self, *, trained: bool) -> ChunkPredictor:
        if self.remote:
            from nitrogen_adapter.remote.client import RemotePredictor

            return RemotePredictor(self.source)
        path = self.after if trained else self.before
        return LocalPredictor(checkpoint.load(path, device=self.device))
