"""Verbs about bags."""
