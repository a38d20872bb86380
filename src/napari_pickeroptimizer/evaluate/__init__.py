"""Picks against true centres."""
