"""What a batch does in compiled code: begin episodes, step and observe, some rows at a time.

Rows are independent of each other, so threads may share a batch out among themselves.
"""

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.jit import compiled, jit_cached, jit_unchecked
from arena_breaker_gym._runtime.records import Rows
from arena_breaker_gym.batch.observation import SortBuffer, compiled_tables_in, observe_arena
from arena_breaker_gym.engine.arena import PLAYING, VICTORY, ArenaRecord, Stages
from arena_breaker_gym.engine.player import DASH_THRESHOLD
from arena_breaker_gym.engine.soundness import fault_of
from arena_breaker_gym.engine.tick import begin, tick

ACTION_LENGTH = 5  # move_x, move_z, aim_x, aim_z, dash

# The columns of `Arenas.info`, each a whole number of one arena after its last step.
INFO = (
    "score",
    "kills",
    "stage",
    "wave",
    "hp",
    "victory",
    "shots_fired",
    "hits",
    "dashes",
    "damage_taken",
)
REWARD_TERMS = ("score", "damage", "hits")


@jit_cached
def begin_chosen(
    arenas: Rows[ArenaRecord],
    chosen: NDArray[np.bool_],
    keys: NDArray[np.int64],
    stage: int,
    fix: bool,
    blank: Rows[ArenaRecord],
    campaign: Stages,
    rewards: NDArray[np.float64],
    reward_terms: NDArray[np.float64],
    terminated: NDArray[np.bool_],
    truncated: NDArray[np.bool_],
    info: NDArray[np.int64],
) -> None:
    """Begins an episode in every chosen arena; `blank` (1,) is a record of zeros."""
    for index in range(arenas.shape[0]):
        if chosen[index]:
            arenas[index] = blank[0]
            begin(arenas[index], stage, keys[index], fix, campaign)
            rewards[index] = 0.0
            reward_terms[:, index] = 0.0
            terminated[index] = False
            truncated[index] = False
            _inform(arenas[index], info[:, index])


@jit_unchecked(actions="n 5", moving="n")
def first_bad(actions: NDArray[np.float64], moving: NDArray[np.bool_]) -> int:
    """The first moving arena whose action is not finite, -1 if there is none."""
    for index in range(actions.shape[0]):
        if moving[index]:
            for part in range(ACTION_LENGTH):
                if not np.isfinite(actions[index, part]):
                    return index
    return -1


@jit_unchecked(
    arenas="n",
    actions="n 5",
    moving="n",
    weights="3",
    campaign="stages",
    rewards="n",
    reward_terms="3 n",
    terminated="n",
    truncated="n",
    info="10 n",
    block="n*397",
    nearest="24",
)
def step_rows(
    first: int,
    last: int,
    arenas: Rows[ArenaRecord],
    actions: NDArray[np.float64],
    moving: NDArray[np.bool_],
    frame_skip: int,
    limit: int,
    weights: NDArray[np.float64],
    campaign: Stages,
    rewards: NDArray[np.float64],
    reward_terms: NDArray[np.float64],
    terminated: NDArray[np.bool_],
    truncated: NDArray[np.bool_],
    info: NDArray[np.int64],
    observing: bool,
    block: NDArray[np.float32],
    standard: int,
    nearest: SortBuffer,
) -> None:
    """Steps the moving arenas of some rows, and observes all of these rows if asked to.

    Args:
        first: The first row.
        last: The row after the last.
        arenas: (n,) records.
        actions: (n, 5), finite; sticks and dash are tamed in place.
        moving: (n,) which arenas move.
        frame_skip: Ticks in a step.
        limit: Steps after which an episode is truncated; 0 for no limit.
        weights: (3,) of the reward's terms.
        campaign: All stages.
        rewards: (n,) written, like what follows.
        reward_terms: (3, n), a term a row.
        terminated: (n,).
        truncated: (n,).
        info: (10, n), likewise.
        observing: Whether the state is written as well.
        block: (n · `STATE_NUMBERS`,) the state tables.
        standard: Ticks of the standard time limit, which the state's "time left" counts to.
        nearest: What `observation.sort_buffer` made; no other thread may use it meanwhile.
    """
    tables = compiled_tables_in(block, arenas.shape[0])
    for index in range(first, last):
        arena = arenas[index]
        if moving[index]:
            score = arena.statistics.score
            damage = arena.statistics.damage_taken
            hits = arena.statistics.hits
            _tame(actions[index])
            for _ in range(frame_skip):
                tick(arena, actions[index], campaign)
            reward_terms[0, index] = weights[0] * (arena.statistics.score - score)
            reward_terms[1, index] = weights[1] * (arena.statistics.damage_taken - damage)
            reward_terms[2, index] = weights[2] * (arena.statistics.hits - hits)
            rewards[index] = (
                reward_terms[0, index] + reward_terms[1, index] + reward_terms[2, index]
            )
            terminated[index] = arena.outcome != PLAYING
            out_of_time = limit > 0 and arena.tick >= limit * frame_skip
            truncated[index] = out_of_time and not terminated[index]
            _inform(arena, info[:, index])
        if observing:
            observe_arena(arena, tables, index, campaign, standard, nearest)


@jit_unchecked(arenas="n", chosen="n", block="n*397", campaign="stages", nearest="24")
def observe_rows(
    first: int,
    last: int,
    arenas: Rows[ArenaRecord],
    chosen: NDArray[np.bool_],
    block: NDArray[np.float32],
    campaign: Stages,
    standard: int,
    nearest: SortBuffer,
) -> None:
    """Writes the state of the chosen arenas of some rows; the arguments are `step_rows`'."""
    tables = compiled_tables_in(block, arenas.shape[0])
    for index in range(first, last):
        if chosen[index]:
            observe_arena(arenas[index], tables, index, campaign, standard, nearest)


@jit_unchecked(words="2800")
def sums_of(words: NDArray[np.uint32]) -> tuple[int, int]:
    """Two sums over a record's words by which damage shows: of the words, and of those sums.

    Any change of one or two words shows, and so would all except one in 2^64 others. Both stay
    below 2^63. It takes a tenth of the time of a cryptographic digest, which a save in a planner's
    innermost loop could not bear; what is forged is found by `engine.soundness`.

    Args:
        words: (2800,) a record as 32-bit words, not writeable.
    """
    plain = 0
    running = 0
    for index in range(words.shape[0]):
        plain += int(words[index])
        running += plain
    return plain, running


@jit_unchecked(kept="1", arenas="n", campaign="stages", terminated="n", truncated="n", info="10 n")
def put_back(
    kept: Rows[ArenaRecord],
    arenas: Rows[ArenaRecord],
    index: int,
    campaign: Stages,
    last_tick: int,
    terminated: NDArray[np.bool_],
    truncated: NDArray[np.bool_],
    info: NDArray[np.int64],
) -> int:
    """Puts a record into a batch if it is sound.

    Args:
        kept: (1,) the record.
        arenas: (n,) records.
        index: Which of them is replaced.
        campaign: All stages.
        last_tick: At which an episode is truncated; 0 for no limit.
        terminated: (n,), written like what follows.
        truncated: (n,).
        info: (10, n).

    Returns:
        What is unsound, of `engine.soundness.PARTS`, and nothing has changed then; 0: nothing.
    """
    fault = fault_of(kept[0], campaign)
    if fault != 0:
        return fault
    arenas[index] = kept[0]
    arena = arenas[index]
    terminated[index] = arena.outcome != PLAYING
    truncated[index] = 0 < last_tick <= arena.tick and not terminated[index]
    _inform(arena, info[:, index])
    return 0


@compiled
def _tame(action: NDArray[np.float64]) -> None:
    """Scales sticks longer than 1 to 1 and dash to 0 or 1."""
    for stick in range(0, 4, 2):
        x = action[stick]
        z = action[stick + 1]
        length = np.sqrt(x * x + z * z)
        if length > 1.0:
            action[stick] = x / length
            action[stick + 1] = z / length
    action[4] = 1.0 if action[4] > DASH_THRESHOLD else 0.0


@compiled
def _inform(arena: ArenaRecord, row: NDArray[np.int64]) -> None:
    statistics = arena.statistics
    row[0] = statistics.score
    row[1] = statistics.kills
    row[2] = arena.stage + 1
    row[3] = arena.director.wave + 1
    row[4] = arena.player.hp
    row[5] = 1 if arena.outcome == VICTORY else 0
    row[6] = statistics.shots_fired
    row[7] = statistics.hits
    row[8] = statistics.dashes
    row[9] = statistics.damage_taken
