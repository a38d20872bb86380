"""The Export panel: results as files, and the commands that give the same."""
