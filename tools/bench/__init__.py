"""Benchmarks. Each prints a table and compares within one run, since the machines are noisy."""
