"""The ``litetrack`` command: every verb is a module of this package."""
