"""Learning from categories of boxes of many data sets, before any labels of one's own."""
