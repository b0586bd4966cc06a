"""Pairs that a stronger model writes: asked patiently, paid for once, checked against their passages."""
