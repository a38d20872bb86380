"""The network: backbone, two branches, multi-loss, weights and checkpoints."""
