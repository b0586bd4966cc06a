"""Several runs on one page: what they said to the same questions, and what differs between their recipes."""
