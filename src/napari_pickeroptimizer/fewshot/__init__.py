"""Fine-tuning on a few labelled picks."""
