"""Writing results, and the commands that would do the same."""
