"""Labels: classes, keys, undo, the journal, suggestions."""
