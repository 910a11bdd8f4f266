"""Registers of a device: one bus access of the stated width per call, and nothing else on the bus."""

from uio_workloop.registers.mapped import Registers
from uio_workloop.registers.mapped_pages import MappedPages
from uio_workloop.registers.ports import PortRegisters
from uio_workloop.registers.register import Access, Field, Register
from uio_workloop.registers.register_block import RegisterBlock
from uio_workloop.registers.space import RegisterSpace

__all__ = ["Access", "Field", "MappedPages", "PortRegisters", "Register", "RegisterBlock", "RegisterSpace", "Registers"]
