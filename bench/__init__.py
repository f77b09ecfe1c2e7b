"""Measures Jobtail beside the raw limit of the same machine in the same run, as ratios."""
