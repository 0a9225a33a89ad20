"""`Ground`: what the rules look up of the stage that an arena is on."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Ground(NamedTuple):
    """One stage's plan and baked fields; see `stages.table.Campaign` for their layout."""

    stage: Any  # a STAGE record
    distance: NDArray[np.float32]
    flow: NDArray[np.int8]
