"""The initramfs: a static busybox, our boot scripts, the modules that reach the root and make the devices."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from uio_workloop.testing.lab.architecture import Architecture
from uio_workloop.testing.lab.cache import Cache
from uio_workloop.testing.lab.host import require_tool, run_tool
from uio_workloop.testing.lab.modules import ModuleTree, module_bytes

BOOT_FILES = Path(__file__).parent / "boot"
ROOT_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
DEVICE_MODULES = ("uio_pci_generic", "uio_pdrv_genirq", "gpio-sim", "uio_dummy")


def make_initramfs(tree: ModuleTree, architecture: Architecture, cache: Cache) -> Path:
    """The initramfs for these modules, packed unless it was packed before."""
    busybox = Path(require_tool("busybox"))
    status = busybox.stat()
    digest = hashlib.sha256(f"{tree.key} {architecture} {status.st_size} {status.st_mtime_ns}".encode())
    digest.update(Path(__file__).read_bytes())
    for path in sorted(BOOT_FILES.iterdir()):
        digest.update(path.read_bytes())

    def build(path: Path) -> None:
        directory = path.parent / "initramfs"
        fill(directory, tree, architecture, busybox)
        pack(directory, path)

    return cache.part(f"initramfs/{digest.hexdigest()[:16]}", build)


def fill(directory: Path, tree: ModuleTree, architecture: Architecture, busybox: Path) -> None:
    """Put in place what the guest sees before it has a root."""
    for name in ("bin", "dev", "proc", "sys", "modules", "lower", "writable", "newroot", "trees"):
        (directory / name).mkdir(parents=True)
    shutil.copy(busybox, directory / "bin/busybox")
    for path in BOOT_FILES.iterdir():
        shutil.copy(path, directory / path.name)
        os.chmod(directory / path.name, 0o755)
    root = tree.load_order(ROOT_MODULES)
    devices = [path for path in tree.load_order(DEVICE_MODULES) if path not in root]
    for list_name, paths in (("root", root), ("devices", devices)):
        names = [path.name.split(".", 1)[0] + ".ko" for path in paths]
        for name, path in zip(names, paths, strict=True):
            (directory / "modules" / name).write_bytes(module_bytes(path))
        (directory / "modules" / f"{list_name}.list").write_text("".join(f"{name}\n" for name in names))
    cards = " ".join(architecture.edu_addresses)
    own = " ".join((*architecture.chipset_addresses, *architecture.port_addresses, *architecture.edu_addresses))
    (directory / "machine.sh").write_text(
        f'edu_cards="{cards}"\nown_devices="{own}"\nplatform_devices="{" ".join(architecture.platform_devices)}"\n'
    )


def pack(directory: Path, destination: Path) -> None:
    """Make the archive. Not compressed: unpacking costs an emulated processor more than a larger file."""
    names = sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))
    archive = run_tool(
        ["cpio", "--create", "--format=newc", "--owner=0:0", "--quiet", "--null"],
        "pack the initramfs",
        cwd=directory,
        input_bytes="\0".join(names).encode() + b"\0",
    )
    destination.write_bytes(archive)
