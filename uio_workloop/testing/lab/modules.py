"""The guest's modules: the kernel's own, and beside them what we build out of tree.

A built tree is laid over the kernel's tree in the guest (overlayfs), so that `modprobe` finds both and the
kernel's directory, which may be the host's own /lib/modules, is only read.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from uio_workloop.errors import LabError
from uio_workloop.testing.lab.architecture import Architecture
from uio_workloop.testing.lab.cache import Cache, Progress
from uio_workloop.testing.lab.host import find_tool, run_tool
from uio_workloop.testing.lab.kernel import Kernel, kernel_source
from uio_workloop.testing.lab.packages import Apt

RECIPE = "1"  # change it when this file builds something else from the same sources
DUMMY_SOURCE = Path(__file__).parent / "kmod"
BUILT = "lab"  # folder of our modules in the tree
SOURCE_OF_MODULE = {
    "gpio-sim": "drivers/gpio/gpio-sim.c",
    "irq_sim": "kernel/irq/irq_sim.c",
    "uio_pdrv_genirq": "drivers/uio/uio_pdrv_genirq.c",
}


@dataclass(frozen=True, slots=True)
class ModuleTree:
    """Two directories that together are the guest's /lib/modules/VERSION."""

    version: str
    key: str
    built: Path
    kernel: Path

    def load_order(self, names: Iterable[str]) -> list[Path]:
        """The files to insert for these modules, each after those it needs; built-in ones need nothing."""
        text = (self.built / "modules.dep").read_text()
        builtin = (self.built / "modules.builtin").read_text()
        return [self._file(path) for path in load_order(text, builtin, names)]

    def _file(self, relative: str) -> Path:
        return (self.built if relative.startswith(f"{BUILT}/") else self.kernel) / relative


def make_modules(kernel: Kernel, architecture: Architecture, cache: Cache, progress: Progress) -> ModuleTree:
    """Build what this kernel lacks, unless that was done before for the same sources.

    Raises:
        LabError: the sources of uio_dummy are missing, or something does not build.
    """
    builder = Builder(kernel, architecture, cache, progress)
    key = f"{kernel.version}-{dummy_hash(kernel)}"
    built = cache.part(f"modules/{key}", builder.build_tree)
    return ModuleTree(kernel.version, key, built, kernel.modules)


def dummy_hash(kernel: Kernel) -> str:
    """What a built tree depends on. Cheap: a few small files and one stat."""
    if not (DUMMY_SOURCE / "uio_dummy.c").exists():
        raise LabError(f"cannot build uio_dummy: {DUMMY_SOURCE} has no uio_dummy.c; install the package again")
    digest = hashlib.sha256(f"{RECIPE} {kernel.fingerprint()}".encode())
    for path in sorted(DUMMY_SOURCE.iterdir()):
        if path.suffix in (".c", ".h") or path.name in ("Makefile", "Kbuild"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


class Builder:
    """Builds for one kernel. Paths given to it are in workshop directories of the cache."""

    def __init__(self, kernel: Kernel, architecture: Architecture, cache: Cache, progress: Progress) -> None:
        self.kernel = kernel
        self.architecture = architecture
        self.cache = cache
        self.progress = progress

    def build_tree(self, path: Path) -> None:
        """uio_dummy and the modules the kernel lacks, indexed together with the kernel's own."""
        if not self.kernel.headers.exists():
            raise LabError(
                f"cannot build modules for kernel {self.kernel.version}: {self.kernel.headers} is missing; "
                f"apt-get install linux-headers-{self.kernel.version}, or use --kernel debian"
            )
        digest = hashlib.sha256(f"{RECIPE} {self.kernel.fingerprint()}".encode()).hexdigest()[:16]
        missing = self.cache.part(f"missing_modules/{self.kernel.version}-{digest}", self.build_missing)
        directory = path.parent / "uio_dummy"
        shutil.copytree(DUMMY_SOURCE, directory, ignore=shutil.ignore_patterns("*.o", "*.ko", "*.mod*", ".*"))
        self._lay_out([*self._compile(directory), *missing.iterdir()], path)

    def build_missing(self, path: Path) -> None:
        """What the kernel lacks; a part of its own, so that a changed uio_dummy costs no download."""
        path.mkdir()
        names = self._missing_modules()
        if not names:
            return
        members = tuple(SOURCE_OF_MODULE[name] for name in names)
        apt = Apt(self.cache, self.architecture.debian)
        source = kernel_source(self.kernel, members, apt, path.parent, self.progress)
        directory = path.parent / "kernel_modules"
        directory.mkdir()
        for member in members:
            shutil.copy(source / member, directory)
        if "irq_sim" in names:
            as_module(directory / "irq_sim.c")
        (directory / "Kbuild").write_text("".join(f"obj-m += {name}.o\n" for name in names))
        for file in self._compile(directory):
            shutil.copy(file, path)

    def _missing_modules(self) -> list[str]:
        known = {
            module_name(line)
            for name in ("modules.order", "modules.builtin")
            for line in (self.kernel.modules / name).read_text().split()
        }
        missing = [name for name in ("gpio-sim", "uio_pdrv_genirq") if module_name(name) not in known]
        exported = (self.kernel.headers / "Module.symvers").read_text()
        if "gpio-sim" in missing and "\tirq_domain_create_sim\t" not in exported:
            missing.append("irq_sim")
        return missing

    def _compile(self, directory: Path) -> list[Path]:
        headers = local_headers(self.kernel.headers, directory.parent)
        self.progress.step(f"building {directory.name} for kernel {self.kernel.version}")
        # BTF would want pahole and the uncompressed kernel; MAKEFLAGS is not ours if `make lab` started us
        run_tool(
            [
                *("make", f"-j{os.cpu_count() or 1}", "-C", headers, f"M={directory}"),
                *compiler(headers),
                *(f"ARCH={self.architecture.kernel}", "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"),
            ],
            f"build the modules in {directory.name} for kernel {self.kernel.version}",
            environment={"MAKEFLAGS": "", "MAKELEVEL": "", "ARCH": "", "CROSS_COMPILE": ""},
        )
        files = sorted(directory.glob("*.ko"))
        run_tool(["strip", "--strip-debug", *files], "strip the modules")  # a tenth of the size
        return files

    def _lay_out(self, files: list[Path], destination: Path) -> None:
        """Index both trees as one, then keep of it what is ours: the modules and depmod's files."""
        workshop = destination.parent
        tree = workshop / "root/lib/modules" / self.kernel.version
        (tree / BUILT).mkdir(parents=True)
        for file in files:
            shutil.copy(file, tree / BUILT)
        for entry in self.kernel.modules.iterdir():
            if entry.name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
                shutil.copy(entry, tree)
            elif entry.is_dir() and entry.name not in ("build", "source"):
                (tree / entry.name).symlink_to(entry)
        search = workshop / "depmod.conf"
        search.write_text(f"search {BUILT} updates extra built-in\n")
        self.progress.step("indexing the modules")
        run_tool(["depmod", "-C", search, "-b", workshop / "root", self.kernel.version], "index the modules")
        for entry in tree.iterdir():
            if entry.is_symlink():
                entry.unlink()
        os.rename(tree, destination)


def local_headers(headers: Path, workshop: Path) -> Path:
    """The headers, usable where they lie.

    Debian's headers have a one-line Makefile that includes another by its absolute path, right only once
    installed. For unpacked ones this makes a directory of links with that line corrected.
    """
    makefile = (headers / "Makefile").read_text()
    found = re.match(r"include (/usr/src/\S+)\n", makefile)
    if found is None or Path(found[1]).exists():
        return headers
    shadow = workshop / "headers"
    shadow.mkdir()
    for entry in headers.iterdir():
        if entry.name != "Makefile":
            (shadow / entry.name).symlink_to(entry)
    unpacked = headers.parents[2] / found[1].removeprefix("/")
    (shadow / "Makefile").write_text(f"include {unpacked}\n")
    return shadow


def compiler(headers: Path) -> list[str]:
    """What to tell make: Debian's headers name the gcc that built the kernel; another one does as well."""
    variables = headers / ".kernelvariables"
    named = re.search(r"\bgcc-\d+\b", variables.read_text()) if variables.exists() else None
    return ["CC=gcc"] if named and find_tool(named[0]) is None else []


def as_module(irq_sim: Path) -> None:
    """Make the kernel's interrupt simulator, which it only builds in, a module.

    irq_to_desc() is not exported to modules; generic_handle_irq() does the same where the handler is simple.
    """
    text = irq_sim.read_text()
    text = text.replace("handle_simple_irq(irq_to_desc(irqnum));", "generic_handle_irq(irqnum);")
    irq_sim.write_text(text + '\n#include <linux/module.h>\nMODULE_DESCRIPTION("irq_sim");\nMODULE_LICENSE("GPL");\n')


def module_name(path: str) -> str:
    """ "kernel/drivers/gpio/gpio-sim.ko.xz" is the module "gpio_sim"."""
    return path.rsplit("/", 1)[-1].split(".", 1)[0].replace("-", "_")


def load_order(dependencies: str, builtin: str, names: Iterable[str]) -> list[str]:
    """Paths to insert, in order, each once.

    Args:
        dependencies: the text of modules.dep; a line lists everything a module needs, the nearest first.
        builtin: the text of modules.builtin.
        names: the modules that are wanted.

    Raises:
        LabError: a module is neither there nor built in.
    """
    needs: dict[str, list[str]] = {}
    for line in dependencies.splitlines():
        path, _, rest = line.partition(":")
        needs[module_name(path)] = [*reversed(rest.split()), path]
    built_in = {module_name(line) for line in builtin.split()}
    order: dict[str, None] = {}
    for name in names:
        if module_name(name) in built_in:
            continue
        if module_name(name) not in needs:
            raise LabError(f"cannot boot this kernel in the lab: it has no module {name}; use --kernel debian")
        order.update(dict.fromkeys(needs[module_name(name)]))
    return list(order)


def module_bytes(path: Path) -> bytes:
    """The module itself, whatever it is packed in."""
    packed = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(packed)
    if path.suffix == ".gz":
        return gzip.decompress(packed)
    if path.suffix == ".zst":
        return run_tool(["zstd", "-dc"], f"unpack {path.name}", input_bytes=packed)
    return packed
