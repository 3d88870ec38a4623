"""Verbs that make and check training data."""
