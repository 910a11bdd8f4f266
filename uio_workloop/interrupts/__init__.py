"""Interrupt lines: each a descriptor that can be drained, masked and unmasked. A line knows *how*; a source, *when*."""
