"""The Label panel: classes, keys, suggestions, how micrographs are shown."""
