"""`python -m arena_breaker_gym.cli`: the command line where its script is not on the path."""

from arena_breaker_gym.cli import main

main()
