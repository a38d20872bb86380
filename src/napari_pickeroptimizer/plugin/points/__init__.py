"""Picks as the points of a layer: what they are, how they look, which slice they lie on."""
