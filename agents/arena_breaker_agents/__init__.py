"""Agents: whatever acts in the arena, each behind the protocol of `arena_breaker_gym.rollout`.

No agent is imported here, so that none pays for another's libraries; `registry` finds an agent by
its name.
"""

import arena_breaker_gym  # noqa: F401  (finds modules by the names that they had before)
