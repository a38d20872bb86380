"""Few-shot fine-tuning on labelled picks, and active learning: which picks to label next."""
