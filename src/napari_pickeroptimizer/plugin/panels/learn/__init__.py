"""The Learn panel: fine-tuning on the labels."""
