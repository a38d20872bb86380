"""From a trained classifier to kept and rejected picks."""
