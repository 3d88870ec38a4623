"""Sequences to evaluate on and pairs to train on."""
