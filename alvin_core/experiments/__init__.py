"""Comparisons of strategies over seeds: their plan, their runs, and what they say."""
