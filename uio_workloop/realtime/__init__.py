"""Real time: what a thread and a process ask of the kernel so that actions begin sooner, and how to undo it."""
