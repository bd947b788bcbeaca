"""Runs that start others: what follows from a run's end and from what its steps emit, within the limits of a chain."""
