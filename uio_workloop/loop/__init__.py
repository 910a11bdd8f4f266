"""The heart: one gate, one event chain, one thread."""
