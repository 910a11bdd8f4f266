"""Which devices there are. The only home of pyudev."""

from __future__ import annotations

from typing import Any


def uio_nodes() -> dict[str, str]:
    """Every UIO device: its node and its name, `{"/dev/uio0": "uio_dummy.0"}`, in order of number."""
    found = {device.sys_name: device for device in _context().list_devices(subsystem="uio")}
    return {
        f"/dev/{name}": found[name].attributes.asstring("name")
        for name in sorted(found, key=lambda name: int(name.removeprefix("uio")))
    }


def pci_addresses(vendor: str, device: str) -> list[str]:
    """The addresses of every PCI function with these identifiers (four hexadecimal digits each), in order."""
    matches = _context().list_devices(subsystem="pci").match_attribute("vendor", f"0x{vendor}")
    return sorted(each.sys_name for each in matches if each.attributes.asstring("device") == f"0x{device}")


def _context() -> Any:
    import pyudev  # here, so that programs that name their device by node never load it

    return pyudev.Context()
