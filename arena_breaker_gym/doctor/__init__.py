"""The doctor: what is installed, what the machine has, and whether the game plays.

Nothing here changes anything, and no check opens a window or asks a server.
"""

from arena_breaker_gym.doctor.checks import FAULT, OK, WARNING, Finding
from arena_breaker_gym.doctor.doctor import CHECKS, examine

__all__ = ["CHECKS", "FAULT", "OK", "WARNING", "Finding", "examine"]
