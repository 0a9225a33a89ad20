"""The old place of `llm_client`, for one release."""

from arena_breaker_gym.deprecated import old_names

_NEW = "arena_breaker_agents.tutor.llm_client"

__getattr__ = old_names(
    __name__,
    {
        "Mind": f"{_NEW}.LLMClient",
        "MindError": f"{_NEW}.LLMError",
        "Question": f"{_NEW}.Request",
        "Reply": f"{_NEW}.Response",
        **{
            name: f"{_NEW}.{name}"
            for name in ("CALLED", "CUT", "REFUSED", "SPOKE", "Tool", "Usage")
        },
    },
)
