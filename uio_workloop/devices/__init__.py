"""What is plugged in: UIO devices, PCI cards, GPIO lines."""
