"""What a run will take before it starts, and what it took: memory, time and disk. Imports no torch."""
