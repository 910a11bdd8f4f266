"""Registers that a test can watch or pretend with."""

from __future__ import annotations

from uio_workloop import Registers, RegisterSpace


class RoutedRegisters(Registers):
    """Every access goes by way of `_load` and `_store`, where a subclass has its say; `Registers` has shorter ways."""

    read8, read16, read32, read64 = (
        RegisterSpace.read8,
        RegisterSpace.read16,
        RegisterSpace.read32,
        RegisterSpace.read64,
    )
    write8, write16, write32, write64 = (
        RegisterSpace.write8,
        RegisterSpace.write16,
        RegisterSpace.write32,
        RegisterSpace.write64,
    )
    reader, writer = RegisterSpace.reader, RegisterSpace.writer
