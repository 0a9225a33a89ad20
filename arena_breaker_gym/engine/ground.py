"""`Ground`: what the rules look up of the stage that an arena is on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.engine.record import Record


class Ground(NamedTuple):
    """One stage's plan and baked fields; see `stages.table.Campaign` for their layout."""

    stage: Record  # of dtype STAGE
    distance: NDArray[np.float32]
    flow: NDArray[np.int8]
