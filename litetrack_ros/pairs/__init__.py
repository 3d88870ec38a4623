"""Training pairs: composed from pictures, filmed, or cut from annotated video."""
