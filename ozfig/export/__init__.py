"""From tuned weights to files that any machine runs."""
