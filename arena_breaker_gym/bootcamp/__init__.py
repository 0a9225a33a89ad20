"""The article's experiment, end to end: the top floor, which nothing imports but the command line."""
