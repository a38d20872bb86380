"""The Decide panel: scoring, the threshold, what it gives."""
