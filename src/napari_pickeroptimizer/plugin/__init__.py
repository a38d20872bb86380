"""napari's side of the house: layers are views of `Picks` and `Micrographs`."""
