"""Measuring base, tuned and quantised model with one code path, and saying what it means."""
