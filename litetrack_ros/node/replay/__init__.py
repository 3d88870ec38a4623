"""Plays serialised images to a tracker node and collects its answers: messages and stamps only."""
