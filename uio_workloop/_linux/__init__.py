"""The kernel's doors, one file each: plain functions on descriptors, bare OSError, no lifetimes."""
