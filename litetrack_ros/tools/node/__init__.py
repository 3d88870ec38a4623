"""Verbs about a running node."""
