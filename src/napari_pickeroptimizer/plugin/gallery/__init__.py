"""What the gallery shows: an order of picks, a selection, boxes as pictures."""
