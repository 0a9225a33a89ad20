"""`Record` and `Stages`: structured data as the rules pass it around."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# A `np.record` whose fields are read and written by name; what type a field has stands in the
# dtypes of `engine.arena` and `stages.table`, where no static checker can see it.
Record: TypeAlias = Any

# All stages of a campaign: (n,) of dtype `stages.table.STAGE`.
Stages: TypeAlias = NDArray[np.void]
