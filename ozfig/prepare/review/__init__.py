"""The pairs of a run to look at and to change: on a page, on the terminal, as a table."""
