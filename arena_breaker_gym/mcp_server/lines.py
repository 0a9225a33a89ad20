"""`MendedLines`: messages as clients send them, without what the library would leave unanswered."""

import json
import re
from contextlib import suppress
from io import TextIOWrapper

from arena_breaker_gym._runtime.stored import without_surrogates

_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a surrogate pair, in JSON


class MendedLines(TextIOWrapper):
    r"""Lines of JSON in which no half of a surrogate pair stands alone.

    A model that breaks off in the middle of an emoji leaves such a half ("\ud800"), which the
    library's reader takes for no message at all: its client would wait for ever.
    """

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        """The next line, mended."""
        line = super().readline(size)
        if _HALF.search(line):
            with suppress(ValueError, RecursionError):  # no JSON: as it was
                return json.dumps(without_surrogates(json.loads(line))) + "\n"
        return line

    def close(self) -> None:
        """Lets go of standard input, which is not ours to close."""
        with suppress(ValueError):
            self.detach()
