"""Agents: whatever acts in the arena, each behind the protocol of `arena_breaker_gym.rollout`.

Nothing is imported here, so that no agent pays for another's libraries; `registry` finds an
agent by its name.
"""
