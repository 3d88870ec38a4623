"""Verbs about one model."""
