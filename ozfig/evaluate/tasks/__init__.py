"""Benchmarks: any task of lm-evaluation-harness, its definitions theirs, the models and the scoring ours."""
