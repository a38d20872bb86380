"""The Decide panel: scoring, threshold, expected precision and recall."""
