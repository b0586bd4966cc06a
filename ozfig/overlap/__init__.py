"""Which texts hold parts of others: what must not be trained on, and what was measured on all the same."""
