"""What only a fresh interpreter can tell: how long starting takes, and how much memory there is."""

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from arena_breaker_gym.throughput.process import BrokenError

_CLOCK = """
import time
import gymnasium, numba, numpy
start = time.perf_counter()
{work}
print(time.perf_counter() - start)
"""
_IMPORT = "import arena_breaker_gym.env, arena_breaker_gym.vector_env"
_MAKE = 'env = gymnasium.make("ArenaBreaker-v0")'
_FIRST_STEP = f"{_MAKE}\nenv.reset(seed=0)\nenv.step(env.action_space.sample())"

_MEMORY = """
import sys
from arena_breaker_gym.throughput.fresh import main
main(*map(int, sys.argv[1:]))
"""

STATUS = Path("/proc/self/status")  # where Linux tells a process its memory
LINES = 100


def import_seconds() -> float:
    """Seconds to import the core once NumPy, Numba and Gymnasium are."""
    return _seconds(_IMPORT)


def make_seconds() -> float:
    """Seconds for `gym.make` with everything compiled, the import of the core included."""
    return _seconds(_MAKE)


def first_step_seconds() -> float:
    """Seconds for make, reset and one step with everything compiled."""
    return _seconds(_FIRST_STEP)


def compile_seconds() -> float:
    """Seconds for make, reset and one step with nothing compiled and no stage baked."""
    with tempfile.TemporaryDirectory() as folder:
        caches = {"NUMBA_CACHE_DIR": folder, "ARENA_BREAKER_CACHE": folder}
        return _seconds(_FIRST_STEP, environment=caches)


def _seconds(work: str, *, environment: Mapping[str, str] | None = None) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _CLOCK.format(work=work)],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BrokenError(f"a fresh interpreter failed: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout)


def memory(
    arenas: int, steps: int, progress: Callable[[float], None] | None = None
) -> tuple[float, float]:
    """Memory of a process that steps a batch with state observations.

    Args:
        arenas: How many.
        steps: Steps of an arena in all.
        progress: Told the share of steps done.

    Returns:
        Megabytes (10^6 bytes) of the whole process after the last step, and by how much it
        grew after the first tenth of the steps.

    Raises:
        BrokenError: If the process fails, or the system does not tell a process its memory.
    """
    command = [sys.executable, "-c", _MEMORY, str(arenas), str(steps)]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        sizes: list[float] = []
        for line in process.stdout:
            share, size = map(float, line.split())
            if progress is not None:
                progress(share)
            if share >= 0.1:
                sizes.append(size)
        if process.wait() != 0:
            errors.seek(0)
            raise BrokenError(f"the process failed: {errors.read().strip().splitlines()[-1]}")
    return sizes[-1] / 1e6, (sizes[-1] - sizes[0]) / 1e6


def main(arenas: int, steps: int) -> None:
    """Writes lines "share of steps done, bytes of memory" to standard output.

    Raises:
        OSError: If there is no `STATUS`.
    """
    import gymnasium as gym

    envs: Any = gym.make_vec("ArenaBreaker-v0", num_envs=arenas, observation="state")
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(16)]
    envs.reset(seed=0)
    calls = math.ceil(steps / arenas)
    pause = math.ceil(calls / LINES)
    for call in range(1, calls + 1):
        envs.step(actions[call % len(actions)])
        if call % pause == 0 or call == calls:
            sys.stdout.write(f"{call / calls} {resident_bytes()}\n")
            sys.stdout.flush()


def resident_bytes() -> int:
    """Bytes of memory that this process holds."""
    lines = STATUS.read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmRSS:"))
    return int(kilobytes) * 1024
