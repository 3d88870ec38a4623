"""Bag replay and the scripted camera: from reading a bag to the report."""
