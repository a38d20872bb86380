"""The gallery: boxes around the picks, sorted, filtered, selected."""
