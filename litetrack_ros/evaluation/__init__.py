"""One-pass evaluation: overlap measures, the protocol and its reports."""
