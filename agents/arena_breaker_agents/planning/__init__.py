"""What a look-ahead planner is made of: options, futures of moves, aim, worth, search."""
