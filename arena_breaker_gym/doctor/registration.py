"""Check that Gymnasium finds the environment without an import of this package."""

import subprocess
import sys

from arena_breaker_gym.doctor.finding import FAULT, OK, WARNING, Finding
from arena_breaker_gym.registration import ENV_ID

SECONDS = 60.0
_ASK = f"import gymnasium; print(gymnasium.spec({ENV_ID!r}).entry_point)"


def check_registration() -> Finding:
    """Asks a fresh Python for the environment, as a user's script would."""
    try:
        # -P: what lies in the working folder is another check's.
        done = subprocess.run(
            [sys.executable, "-P", "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding("gymnasium", WARNING, "A fresh Python gave no answer within a minute.")
    if done.returncode == 0:
        return Finding("gymnasium", OK, f'gym.make("{ENV_ID}") finds {done.stdout.strip()}.')
    why = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
    return Finding(
        "gymnasium",
        FAULT,
        f'gym.make("{ENV_ID}") finds nothing without an import: {why}',
        "Run: pip install --force-reinstall --no-deps arena-breaker-gym; until then, import "
        "arena_breaker_gym first.",
    )
