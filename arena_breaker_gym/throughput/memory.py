"""`main`: steps a batch in this process and says after every hundredth how much memory it holds."""

import math
import sys
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")  # where Linux tells a process its memory
LINES = 100


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
