"""Models that are shipped with the package: one folder each."""
