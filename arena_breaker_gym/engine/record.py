"""`Record`: one record of a structured array, as the rules pass it around."""

from typing import Any, TypeAlias

# A `np.record` whose fields are read and written by name; what type a field has stands in the
# dtypes of `engine.arena` and `stages.table`, where no static checker can see it.
Record: TypeAlias = Any
