"""What everything here stands on: compiler, threads, files, optional libraries; no game."""
