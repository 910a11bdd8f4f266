"""Interrupts as QNX delivers them: a thread attaches an event, is told, serves the device, unmasks."""
