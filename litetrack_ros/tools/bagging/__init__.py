"""What ``litetrack bag`` does: inputs, the replay, results."""
