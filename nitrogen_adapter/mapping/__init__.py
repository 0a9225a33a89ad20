"""Named tables between the 25 numbers of a gamepad row and any action space.

`tables` has the protocol, the ready-made tables and `mapping_for`; `box` and `keyed` have mappings
to bind yourself.
"""

from nitrogen_adapter.mapping.box import BoxMapping, Dimension
from nitrogen_adapter.mapping.keyed import (
    DiscreteMapping,
    MultiBinaryMapping,
    MultiDiscreteMapping,
)
from nitrogen_adapter.mapping.tables import (
    ARCADE_18,
    EIGHT_WAYS,
    TABLES,
    ActionMapping,
    ArenaMapping,
    mapping_for,
)
from nitrogen_adapter.mapping.use import Use

__all__ = [
    "ARCADE_18",
    "EIGHT_WAYS",
    "TABLES",
    "ActionMapping",
    "ArenaMapping",
    "BoxMapping",
    "Dimension",
    "DiscreteMapping",
    "MultiBinaryMapping",
    "MultiDiscreteMapping",
    "Use",
    "mapping_for",
]
