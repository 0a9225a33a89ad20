"""The article's experiment, end to end: the top floor; only the command line imports it."""
