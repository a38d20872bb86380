"""Micrographs as one stack of slices for display."""
