"""Labels: classes, undo, the journal."""
