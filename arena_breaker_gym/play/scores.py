"""`Scores`: a person's best games, in one file that is written whole or not at all."""

import os
from collections.abc import Sequence
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.rollout.episode import Episode

FILE = "best_scores.json"
LONGEST = 10  # games of a list
_VERSION = 1

FOLDER_VARIABLE = "ARENA_BREAKER_DATA"


class Score(BaseModel):
    """A game as the list has it.

    Attributes:
        name: Who played.
        score: Points.
        kills: Enemies killed.
        seconds: How long it lasted.
        end: How it ended, such as "victory" or "killed by saw".
        day: When, as in 2025-01-31.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    score: int
    kills: int
    seconds: int
    end: str
    day: str


class _Lists(BaseModel):
    """The file: lists by board, best first."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: int = _VERSION
    boards: dict[str, list[Score]] = {}


class Scores:
    """Lists of best games, a board each; those of other processes are kept, too.

    Attributes:
        trouble: Why a list could not be read or kept, in a sentence; empty if all is well.
    """

    def __init__(self, file: Path) -> None:
        """Reads the lists; a damaged file is set aside.

        Args:
            file: Where they are; it need not be there yet.
        """
        self.trouble = ""
        self._file = file
        self._boards: dict[str, list[Score]] = {}
        self._read()

    def best(self, board: str) -> Sequence[Score]:
        """The games of a board, best first, at most ten."""
        return tuple(self._boards.get(board, ()))

    def add(self, board: str, score: Score) -> int | None:
        """Adds a game and keeps the lists; among equals the older one stands first.

        Returns:
            Its place, from 1; None: it is not among the best.
        """
        self.trouble = ""
        self._read()
        games = self._boards.get(board, [])
        place = sum(other.score >= score.score for other in games)
        if place >= LONGEST:
            return None
        self._boards[board] = [*games[:place], score, *games[place:]][:LONGEST]
        self._write()
        return place + 1

    def _read(self) -> None:
        """Reads what is there; where nothing can be read, what is known stays."""
        try:
            text = self._file.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            self.trouble = f"{self._file}: best scores cannot be read: {error.strerror}."
            return
        try:
            lists = _Lists.model_validate_json(text)
            known = lists.version == _VERSION
        except ValidationError:
            known = False
        if known:
            self._boards = lists.boards
        else:
            self._set_aside()

    def _set_aside(self) -> None:
        aside = _free_name(self._file)
        try:
            self._file.rename(aside)
        except OSError as error:
            self.trouble = f"{self._file}: damaged, and cannot be set aside: {error.strerror}."
        else:
            self.trouble = (
                f"{self._file}: no list of best scores, or damaged; it is set aside as "
                f"{aside.name}, and a new list begins."
            )

    def _write(self) -> None:
        try:
            with written_whole(self._file) as part:
                part.write_text(_Lists(boards=self._boards).model_dump_json(indent=1), "utf-8")
        except OSError as error:
            self.trouble = f"{self._file}: best scores cannot be kept: {error.strerror}."


def board_of(game: Episode) -> str:
    """The list that a game belongs to: same stages, same first stage, same gun."""
    return board_name(game.stages_digest, game.stage, fix=game.settings.point_blank_fix)


def board_name(digest: str, stage: int, *, fix: bool) -> str:
    """The list of games that began on a stage of a campaign.

    Args:
        digest: Of the campaign's stages.
        stage: From 1.
        fix: Whether shots hit what touches the muzzle.
    """
    return f"{digest[:16]} stage {stage}{'' if fix else ' point-blank bug'}"


def score_of(game: Episode, *, day: str) -> Score:
    """A game that has ended, as the list has it."""
    metrics = game.metrics
    return Score(
        name=game.agent,
        score=round(metrics["score"]),
        kills=round(metrics["kills"]),
        seconds=round(metrics["survival_seconds"]),
        end=game.reason,
        day=day,
    )


def _free_name(file: Path) -> Path:
    """A name beside the file, for what was damaged, that no file has."""
    number, aside = 1, file.with_name(f"{file.name}.damaged")
    while aside.exists():
        number += 1
        aside = file.with_name(f"{file.name}.damaged-{number}")
    return aside


def data_folder() -> Path:
    """`$ARENA_BREAKER_DATA`, else the user's data folder.

    For a user without a home it is one that cannot be: "~" would become a folder where we are.
    """
    if os.environ.get(FOLDER_VARIABLE):
        return Path(os.environ[FOLDER_VARIABLE])
    folder = Path(platformdirs.user_data_dir("arena-breaker-gym"))
    return folder if folder.is_absolute() else Path(os.devnull) / folder.name
