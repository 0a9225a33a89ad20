"""`examine`: all checks in order; one that fails itself is a finding like any other."""

from collections.abc import Callable, Sequence

from arena_breaker_gym.doctor.cache import check_cache
from arena_breaker_gym.doctor.clashes import check_clashes
from arena_breaker_gym.doctor.finding import FAULT, Finding
from arena_breaker_gym.doctor.machine import (
    check_disk,
    check_display,
    check_gamepad,
    check_gpu,
    check_keys,
)
from arena_breaker_gym.doctor.packages import (
    check_core,
    check_extras,
    check_pygame,
    check_python,
)
from arena_breaker_gym.doctor.registration import check_registration
from arena_breaker_gym.doctor.trial import check_trial

Check = Callable[[], Finding | list[Finding]]

CHECKS: Sequence[Check] = (
    check_python,
    check_core,
    check_extras,
    check_pygame,
    check_clashes,
    check_display,
    check_gamepad,
    check_gpu,
    check_keys,
    check_disk,
    check_cache,
    check_registration,
    check_trial,
)


def examine(checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Runs checks.

    Args:
        checks: Which; a check that raises becomes a fault that says so.

    Returns:
        What they found, in order.
    """
    findings: list[Finding] = []
    for check in checks:
        try:
            found = check()
        except Exception as error:  # a broken library may raise anything, and is what is looked for
            name = check.__name__.removeprefix("check_")
            words = f"This could not be looked at: {type(error).__name__}: {error}"
            found = Finding(
                name, FAULT, words, "Reinstall the library that is named, or rename what hides it."
            )
        findings += found if isinstance(found, list) else [found]
    return findings
