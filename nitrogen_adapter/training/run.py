"""`TrainingRun`: a post-training in a folder of its own: resumed, watched, judged and reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.files import Claim, claimed, folder_written_whole
from arena_breaker_gym._runtime.run_folder import check_claim, claim_folder, write_json
from arena_breaker_gym._runtime.stored import StoredError, is_number, is_whole, json_in, read_stored
from arena_breaker_gym.loggers import Board
from nitrogen_adapter import checkpoint
from nitrogen_adapter.training.config import RENAMED
from nitrogen_adapter.training.data_split import SCORES, HeldOut, Scores
from nitrogen_adapter.training.processes import Processes
from nitrogen_adapter.training.trainer import Trainer, TrainingProgress

Advance = Callable[[str, float], None]

UNTRAINED, MEAN_ACTION, POST_TRAINED = "untrained", "mean action", "post-trained"
"""Which models are judged: the base, one that always says the mean action, and the result."""

_LARGEST = 2**24  # bytes of a JSON file of a training; a report has some 5,000

SAVE_EVERY = 60.0
"""Seconds between two saves."""


class Passes(NamedTuple):
    """Passes over the examples.

    Attributes:
        done: how many, the last perhaps in part.
        planned: how many there were to be.
    """

    done: float
    planned: float

    @classmethod
    def counted(cls, *, steps: int, examples: int, batch_size: int, planned: float) -> Passes:
        """Count them from the steps that were taken.

        Args:
            steps: how many.
            examples: how many there are to go over.
            batch_size: examples in a step.
            planned: passes that there were to be.
        """
        a_pass = -(-examples // batch_size)  # steps; the last takes what is left
        return cls(min(steps / a_pass, planned), planned)

    @property
    def cut_short(self) -> bool:
        """Whether the training ended before its time, as with a limit on its seconds."""
        return self.done < self.planned

    def __str__(self) -> str:
        """In words, such as "2.5 of 4 passes"; rounded down, so that none is claimed too much."""
        done = int(self.done * 10) / 10
        return f"{done:g} of {self.planned:g} passes"

    def to_dict(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return {"done": round(self.done, 3), "planned": self.planned}


class TrainingRun:
    """One run in one folder.

    The folder gets `settings.json` (what this is), `training.pt` (all that goes on from),
    `metrics.jsonl` and `tensorboard/` (figures by step), `baseline.json` (what the result is held
    against), `model.pt` (the result) and `report.json` (how good it is), perhaps `adapter/`.
    """

    def __init__(
        self,
        trainer: Trainer,
        folder: Path,
        *,
        heldout: HeldOut | None = None,
        heldout_every: int | None = None,
        save_every: float = SAVE_EVERY,
        keep_adapter: bool = False,
        processes: Processes | None = None,
    ) -> None:
        """Prepare; nothing is done yet.

        Args:
            trainer: the training, at its beginning.
            folder: of the run.
            heldout: what the model is judged by; None judges nothing.
            heldout_every: steps between two looks at it; an epoch where not given.
            save_every: seconds between two saves.
            keep_adapter: whether what LoRA learned is also written by itself.
            processes: those that train together; only the main one writes.
        """
        self.trainer = trainer
        self.folder = folder
        self.heldout = heldout
        self.heldout_every = heldout_every or trainer.steps_per_epoch
        self.save_every = save_every
        self.keep_adapter = keep_adapter
        self._main = (processes or Processes()).main
        self._saved = time.monotonic()
        self._claim: Claim | None = None

    @property
    def unfinished(self) -> Path:
        """The file that a run goes on from."""
        return self.folder / "training.pt"

    @property
    def result(self) -> Path:
        """The checkpoint that comes out."""
        return self.folder / "model.pt"

    def run(self, mean_row: Callable[[], NDArray[np.float32]] | None, advance: Advance) -> None:
        """Train to the end and write the result and the report.

        Args:
            mean_row: gives the mean action of what is learned from, (25,), if it is needed; None
                where nothing is judged.
            advance: called with what is going on and the share done, in [0, 1].

        Raises:
            ValueError: if the folder's training is another one, another run is at work there, the
                folder is deleted meanwhile, or the loss is no longer a number.
        """
        if not self._main:
            self._resume()
            self.trainer.run()
            return
        with claimed(self.folder) as self._claim:
            self._run(mean_row, advance)

    def _run(self, mean_row: Callable[[], NDArray[np.float32]] | None, advance: Advance) -> None:
        baseline = self._baseline(mean_row, advance)
        self._resume()
        board = Board(self.folder, step=self.trainer.step)
        try:
            if self.trainer.step == 0 and UNTRAINED in baseline:
                _note_scores(board, 0, baseline[UNTRAINED])
            self.trainer.run(lambda now: self._watch(now, board, advance))
            self._finish(board, baseline, advance)
        finally:
            board.close()

    def _resume(self) -> None:
        if self.unfinished.exists():
            self.trainer.resume(self.unfinished)

    def _baseline(
        self, mean_row: Callable[[], NDArray[np.float32]] | None, advance: Advance
    ) -> dict[str, dict[str, Scores]]:
        """What the result is held against; measured once, before anything is learned."""
        if self.heldout is None or mean_row is None:
            return {}
        path = self.folder / "baseline.json"
        if path.exists():
            return _scores_in(_object_in(path), path)
        advance("The untrained model is judged", 0.0)
        model = self.trainer.model.eval()
        scores = {
            UNTRAINED: self.heldout.measure(model, self.trainer.config),
            MEAN_ACTION: self.heldout.constant(mean_row()),
        }
        write_json(path, scores)
        return scores

    def _watch(self, now: TrainingProgress, board: Board, advance: Advance) -> None:
        advance(f"loss {now.loss:.4f}, {now.examples_per_second:.0f} examples/s", now.fraction)
        board.note("train", now.step, _figures(now))
        if now.fraction >= 1.0:
            return
        if self.heldout is not None and now.step % self.heldout_every == 0:
            with self.trainer.averaged() as model:
                _note_scores(board, now.step, self.heldout.measure(model, self.trainer.config))
        if time.monotonic() - self._saved >= self.save_every:
            self._save(board)

    def _save(self, board: Board) -> None:
        if self._claim is not None:
            self._claim.check()
        board.save()  # first, so that what is noted reaches to the step that is saved
        self.trainer.save(self.unfinished)
        self._saved = time.monotonic()

    def _finish(
        self, board: Board, baseline: Mapping[str, dict[str, Scores]], advance: Advance
    ) -> None:
        trainer, scores = self.trainer, dict(baseline)
        self._save(board)
        advance("The result is judged", 1.0)
        if self.heldout is not None:
            scores[POST_TRAINED] = self.heldout.measure(trainer.model, trainer.config)
            _note_scores(board, trainer.step, scores[POST_TRAINED])
        about = {
            "steps": trainer.step,
            "seconds": round(trainer.seconds, 3),
            "examples": len(trainer.examples),
            **_passes(trainer),
            "trained_parameters": trainer.learning(),
            "played": self.heldout.n_action_steps if self.heldout else None,
            "scores": scores,
        }
        self._write_result()
        total = trainer.model.num_parameters()
        write_json(self.folder / "report.json", {"parameters": total, **about})

    def _write_result(self) -> None:
        adapters = self.trainer.adapters
        if adapters is not None:
            if self.keep_adapter:
                with folder_written_whole(self.folder / "adapter") as part:
                    adapters.save(part)
            adapters.merge()
        checkpoint.save(self.result, self.trainer.model)


def claim(folder: Path, about: Mapping[str, object], *, processes: Processes | None = None) -> None:
    """Note in a folder which training it is of, or refuse one that is of another.

    Args:
        folder: of the run; made where there is none.
        about: what makes the training this one, in plain values by name.
        processes: those that train together; all must call this.

    Raises:
        ValueError: if the folder is another training's, naming the first difference.
    """
    team = processes or Processes()
    path = folder / "settings.json"
    if team.main:
        claim_folder(path, about, what="a training", renamed=RENAMED)
    team.wait()
    check_claim(path, about, what="a training", renamed=RENAMED)


def finished(folder: Path) -> dict[str, Any] | None:
    """Return the report of a folder whose training is done, or None."""
    report = folder / "report.json"
    if not (report.exists() and (folder / "model.pt").exists()):
        return None
    found = _object_in(report)
    _scores_in(found.get("scores"), report)
    if not _is_report(found):
        raise ValueError(f"{report}: damaged; give this training a folder of its own.")
    return found


def _is_report(found: Mapping[str, Any]) -> bool:
    """Whether a training's report has what pages and tables show of it."""
    counts = (found.get(name) for name in ("parameters", "trained_parameters", "examples", "steps"))
    played, passes = found.get("played"), found.get("passes", {"done": 0, "planned": 0})
    if not all(map(is_whole, counts)) or not (played is None or is_whole(played)):
        return False
    over = isinstance(passes, dict) and passes.keys() == {"done", "planned"}
    return over and all(map(is_number, (found.get("seconds"), *passes.values())))


def _passes(trainer: Trainer) -> dict[str, object]:
    """How often it went over its examples, if it was to be by passes."""
    config = trainer.config
    if config.steps is not None:
        return {}
    passes = Passes.counted(
        steps=trainer.step,
        examples=len(trainer.examples),
        batch_size=config.batch_size,
        planned=config.epochs,
    )
    return {"passes": passes.to_dict()}


def _object_in(path: Path) -> dict[str, object]:
    """The JSON object that a file of a training's folder holds.

    Raises:
        ValueError: if it is damaged.
    """
    try:
        found = json_in(read_stored(path, most=_LARGEST))
    except StoredError as error:
        raise ValueError(
            f"{path}: damaged ({error}); give this training a folder of its own."
        ) from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: damaged; give this training a folder of its own.")
    return found


def _scores_in(found: object, path: Path) -> dict[str, dict[str, Scores]]:
    """Scores as `HeldOut` gives them, by who is judged.

    Raises:
        ValueError: if these are none.
    """
    if not isinstance(found, dict) or not all(_is_judged(one) for one in found.values()):
        raise ValueError(f"{path}: damaged, its scores are none; delete it to judge again.")
    return found


def _is_judged(judged: object) -> bool:
    if not isinstance(judged, dict) or not {"played", "chunk"} <= judged.keys():
        return False
    return all(
        isinstance(scores, dict)
        and SCORES.keys() <= scores.keys()
        and all(v is None or is_number(v) for v in scores.values())
        for scores in judged.values()
    )


def _figures(now: TrainingProgress) -> dict[str, float | None]:
    return {
        "loss": now.loss,
        "lr": now.learning_rate,
        "gradient_norm": now.gradient_norm,
        "examples_per_second": now.examples_per_second,
    }


def _note_scores(board: Board, step: int, scores: Mapping[str, Scores]) -> None:
    board.note("heldout", step, scores["played"])
    board.note("heldout_chunk", step, scores["chunk"])
