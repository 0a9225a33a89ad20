"""`Number`, `Whole`, `Truth`: numbers and truth values as models and their clients write them.

They come as text ("0.5", "true"), whole ones as 6.0, truth values as 1 and 0. What means one
thing only is read as that; a truth value is no number, and a word is neither.
"""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_LONGEST = 40  # letters of a number: more say nothing that a float could hold
_TRUTHS = {"true": True, "false": False, "1": True, "0": False}


def plain_number(value: Any) -> Any:
    """The number that text stands for; anything else as it is."""
    if isinstance(value, str) and len(value) <= _LONGEST:
        text = value.strip()
        return float(text) if _NUMBER.fullmatch(text) else value
    return value


def plain_whole(value: Any) -> Any:
    """The whole number that text, or a number such as 6.0, stands for; anything else as it is."""
    if isinstance(value, str) and len(value) <= _LONGEST and re.fullmatch(r"\s*-?\d+\s*", value):
        return int(value)  # not through a float, which holds no large ones
    number = plain_number(value)
    return int(number) if isinstance(number, float) and number.is_integer() else value


def plain_truth(value: Any) -> Any:
    """The truth value that text, or 1 or 0, stands for; anything else as it is."""
    if isinstance(value, str):
        return _TRUTHS.get(value.strip().lower(), value)
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    return value


# Where bounds stand beside one of these, it comes last: what it gives is held to them, and they
# stay what a schema knows.
AS_NUMBER = BeforeValidator(plain_number)
AS_WHOLE = BeforeValidator(plain_whole)
AS_TRUTH = BeforeValidator(plain_truth)

Number = Annotated[float, AS_NUMBER]
Whole = Annotated[int, AS_WHOLE]
Truth = Annotated[bool, AS_TRUTH]
