"""How fast models and trackers run on a machine: template, search and whole step."""
