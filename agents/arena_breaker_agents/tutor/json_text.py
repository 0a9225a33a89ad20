"""`without_surrogates`: JSON whose text can be sent on and written down."""

from __future__ import annotations

import json
from typing import Any


def without_surrogates(value: Any) -> Any:
    r"""A copy of a JSON value in which every half of a surrogate pair is a question mark.

    JSON can spell such halves ("\ud800"), as a model does that breaks off in the middle of an
    emoji, but no file and no request can hold them.

    Args:
        value: As `json.loads` gave it.
    """
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
