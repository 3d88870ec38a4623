"""The package's version, where everything may read it; pyproject.toml takes it from here."""

__version__ = "0.2.0"
