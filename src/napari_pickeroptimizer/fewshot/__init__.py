"""Learning from a handful of labelled picks."""
