"""Micrographs as one stack of slices for the eye."""
