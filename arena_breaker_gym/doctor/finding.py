"""`Finding`: what one check of the doctor came to."""

from dataclasses import dataclass, field
from typing import Any

OK = "ok"
WARNING = "warning"
FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """One line of what the doctor says.

    Attributes:
        name: What was looked at, such as "display".
        status: "ok"; "warning": something will not work or not well, the rest does; "fault":
            the game itself does not work.
        words: What was found, in a sentence.
        remedy: What helps, in a sentence; empty if nothing need be done.
        details: The same for a program, as JSON values.
    """

    name: str
    status: str
    words: str
    remedy: str = ""
    details: dict[str, Any] = field(default_factory=dict)
