"""People at a terminal: one verb per file."""
