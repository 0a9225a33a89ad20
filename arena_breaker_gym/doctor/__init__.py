"""The doctor: what is installed, what the machine has, and whether the game plays.

Nothing here changes anything, and no check opens a window or asks a server.
"""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Sequence

from arena_breaker_gym.doctor.checks import (
    FAULT,
    OK,
    WARNING,
    Finding,
    check_cache,
    check_clashes,
    check_core,
    check_disk,
    check_display,
    check_extras,
    check_gamepad,
    check_gpu,
    check_keys,
    check_pygame,
    check_python,
    check_registration,
)

__all__ = ["CHECKS", "FAULT", "OK", "WARNING", "Finding", "examine"]


STEPS = 60
SECONDS = 10.0
_TRY = "from arena_breaker_gym.doctor import trial; print(trial())"


def trial() -> str:
    """Plays the same 60 steps twice and draws a frame.

    Returns:
        What was seen, in a sentence.

    Raises:
        RuntimeError: If the same seed gives other bytes, or the frame is empty.
    """
    first, second = played(), played()
    if first != second:
        raise RuntimeError("the same seed and actions gave other bytes the second time")
    return f"{STEPS} steps, twice the same bytes, and a frame."


def played(seed: int = 0) -> str:
    """Digest of all that 60 steps show.

    Raises:
        RuntimeError: If the last frame is of one colour.
    """
    import gymnasium as gym

    import arena_breaker_gym  # noqa: F401 - whether it is found without is another check's

    env = gym.make("ArenaBreaker-v0", pixel_size=64, render_mode="rgb_array", render_size=64)
    env.action_space.seed(seed)
    digest = hashlib.sha256()
    seen, _ = env.reset(seed=seed)
    for _ in range(STEPS):
        seen, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        digest.update(repr((reward, terminated, truncated)).encode())
        for name in sorted(seen):
            digest.update(seen[name].tobytes())
    if seen["pixels"].min() == seen["pixels"].max():
        raise RuntimeError("the frame that was drawn is empty")
    env.close()
    return digest.hexdigest()


def check_trial() -> Finding:
    """Lets another process play, which may fail in any way or take too long."""
    command = [sys.executable, "-P", "-c", _TRY]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Finding(
            "game",
            WARNING,
            f"{STEPS} steps were not played within {SECONDS:.0f} seconds.",
            "The first start compiles for up to a minute: run `arena-breaker rollout idle -n 1`, "
            "then this again.",
        )
    if done.returncode == 0:
        return Finding("game", OK, done.stdout.strip())
    why = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
    remedy = (
        "Run: pip install --force-reinstall arena-breaker-gym; if that does not help, report it."
    )
    return Finding("game", FAULT, f"It cannot be played: {why}", remedy)


Check = Callable[[], Finding | list[Finding]]

CHECKS: Sequence[Check] = (
    check_python,
    check_core,
    check_extras,
    check_pygame,
    check_clashes,
    check_display,
    check_gamepad,
    check_gpu,
    check_keys,
    check_disk,
    check_cache,
    check_registration,
    check_trial,
)


def examine(checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Runs checks.

    Args:
        checks: Which; a check that raises becomes a fault that says so.

    Returns:
        What they found, in order.
    """
    findings: list[Finding] = []
    for check in checks:
        try:
            found = check()
        except Exception as error:  # a broken library may raise anything, and is what is looked for
            name = check.__name__.removeprefix("check_")
            words = f"This could not be looked at: {type(error).__name__}: {error}"
            found = Finding(
                name, FAULT, words, "Reinstall the library that is named, or rename what hides it."
            )
        findings += found if isinstance(found, list) else [found]
    return findings
