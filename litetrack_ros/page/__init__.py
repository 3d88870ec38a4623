"""The operator's page: a picture, its boxes and what to say, served to a browser."""
