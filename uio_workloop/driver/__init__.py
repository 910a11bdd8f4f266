"""Drivers: what they match, how they live, and who runs them."""
