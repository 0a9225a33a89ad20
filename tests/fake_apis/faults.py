"""Faults: what may go wrong with a request, and who decides when it does."""

import random

from tests.fake_apis.errors import Refusal
from tests.fake_apis.http import DROPPED, NEVER, Answer, answer_json

# The clients try again by themselves.
RETRYABLE = (
    "rate_limit",
    "internal_error",
    "bad_gateway",
    "unavailable",
    "overloaded",
    "timeout",
    "dropped",
    "cut_body",
)

# A reply comes, and nothing can be done with it.
UNUSABLE = (
    "truncated_json",
    "no_call",
    "wrong_types",
    "missing_keys",
    "zero_hold",
    "huge_hold",
    "nan_strings",
    "empty_plan",
    "unknown_keys",
    "not_an_object",
    "wrong_tool",
    "two_calls",
    "refusal",
    "max_tokens",
)

# No other request would fare better.
FATAL = ("authentication", "billing", "permission", "not_found")

FAULTS = RETRYABLE + UNUSABLE + FATAL

ERRORS = {
    "rate_limit": Refusal("This request would exceed your rate limit.", 429),
    "internal_error": Refusal("Internal server error", 500),
    "unavailable": Refusal("Service unavailable", 503),
    "overloaded": Refusal("Overloaded", 529),
    "authentication": Refusal("invalid x-api-key", 401),
    "billing": Refusal("Your credit balance is too low to access the API.", 402),
    "permission": Refusal("Your API key may not use this resource.", 403),
    "not_found": Refusal("model: it is not there for you", 404),
}

_GATEWAY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


class Share:
    """A seeded share of requests go wrong, each by one of `among`; the same ones every time."""

    def __init__(self, share, seed=0, among=RETRYABLE + UNUSABLE):
        self.share = share
        self.seed = seed
        self.among = among

    def __call__(self, number):
        generator = random.Random(f"{self.seed}/{number}")
        return generator.choice(self.among) if generator.random() < self.share else None


class Script:
    """The nth request (from 1) gets what a list or a mapping says; all others are well.

    `always` is what those get of which it says nothing.
    """

    def __init__(self, faults=(), always=None):
        pairs = faults.items() if hasattr(faults, "items") else enumerate(faults, start=1)
        self.faults = dict(pairs)
        self.always = always
        for name in (*self.faults.values(), always):
            if name is not None and name not in FAULTS:
                raise ValueError(f"There is no fault {name!r}; expected one of {FAULTS}.")

    def __call__(self, number):
        return self.faults.get(number, self.always)


def answer_with(fault, error, retry_after):
    """What a fault that leaves no reply sends; None for all others.

    `error` writes a `Refusal` in the form of the API; `retry_after` is in seconds.
    """
    if fault == "timeout":
        return Answer(0, b"", sent=NEVER)
    if fault == "dropped":
        return Answer(0, b"", sent=DROPPED)
    wait = {} if fault in FATAL or retry_after is None else {"retry_after": retry_after}
    if fault == "bad_gateway":
        headers = {name.replace("_", "-"): str(value) for name, value in wait.items()}
        return Answer(502, _GATEWAY_PAGE, {"content-type": "text/html", **headers})
    if fault in ERRORS:
        return answer_json(error(ERRORS[fault]), ERRORS[fault].status, **wait)
    return None
