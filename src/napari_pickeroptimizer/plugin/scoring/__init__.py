"""Fine-tuning, scoring, and what a threshold makes of the scores."""
