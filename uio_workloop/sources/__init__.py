"""The concrete event sources."""
