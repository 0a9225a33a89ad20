"""`Processes`: those that train one model together, or the only one.

`torchrun` and `accelerate launch` start several; accelerate finds out from their environment who
is who and which device is whose. A single process needs none of it and stays plain.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Names of mallopt(3)'s settings in glibc's malloc.h."""

_NEVER = 2**31 - 1


class Processes:
    """This process among those that train together; alone unless launched."""

    def __init__(
        self, *, rank: int = 0, count: int = 1, device: str | torch.device = "cpu"
    ) -> None:
        """Name a process.

        Args:
            rank: its number, from 0.
            count: how many there are.
            device: where this one computes.
        """
        self.rank = rank
        self.count = count
        self.device = torch.device(device)

    @classmethod
    def launched(cls, device: str | None = None) -> Processes:
        """Return this process as a launcher started it, or as the only one.

        Args:
            device: where a single process computes; a GPU if there is one where not given. Several
                take a GPU each, or all the CPU if it is "cpu" or there is no GPU.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls(device=device or ("cuda" if torch.cuda.is_available() else "cpu"))
        from accelerate import PartialState

        # Without a GPU accelerate takes each process for the only one, unless it is told.
        state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available())
        return cls(rank=state.process_index, count=state.num_processes, device=state.device)

    @property
    def main(self) -> bool:
        """Whether this one writes files and talks."""
        return self.rank == 0

    def share(self, count: int, pieces: int = 1) -> list[tuple[int, int]]:
        """Return which of `count` examples are this process's, as (first, end) of each piece.

        All processes' pieces together are the examples in order, as equal as can be; there may be
        empty ones.
        """
        ends = [
            count * number // (self.count * pieces) for number in range(self.count * pieces + 1)
        ]
        mine = range(self.rank * pieces, (self.rank + 1) * pieces)
        return [(ends[number], ends[number + 1]) for number in mine]

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give every process the sum of all processes' gradients."""
        if self.count == 1:
            return
        learning = list(parameters)
        has = torch.tensor([p.grad is not None for p in learning], device=self.device).float()
        dist.all_reduce(has)
        # A parameter for which no process has a gradient keeps none, as in a single process.
        for parameter, anyone in zip(learning, has.tolist(), strict=True):
            if anyone and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        waiting = [dist.all_reduce(p.grad, async_op=True) for p in learning if p.grad is not None]
        for one in waiting:
            one.wait()

    def total(self, values: Iterable[float]) -> list[float]:
        """Return the sums of all processes' values, one by one and equal everywhere."""
        mine = torch.tensor(list(values), dtype=torch.float64)
        if self.count > 1:
            there: Tensor = mine.to(self.device)
            dist.all_reduce(there)
            mine = there.cpu()
        return mine.tolist()

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.count > 1:
            dist.barrier()

    def close(self) -> None:
        """End what binds the processes; it may be called twice."""
        if self.count > 1 and dist.is_initialized():
            dist.destroy_process_group()


def keep_memory() -> None:
    """Let this process keep the memory of large tensors for the next ones, where glibc serves it.

    By default glibc returns each large block to the system when it is freed, and the next step of
    a training pays for every page of it again. It changes no number. On other systems and with
    other C libraries nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _NEVER)
