"""Measurements, side by side with what a user would pick instead. Started by make bench, never by the tests."""
