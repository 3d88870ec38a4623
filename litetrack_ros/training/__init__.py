"""Training: targets, losses, the loop, and what makes a run survive being stopped."""
