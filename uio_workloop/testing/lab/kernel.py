"""Which kernel the guest runs: Debian's newest 6.12, plain or PREEMPT_RT, the host's own, or one unpacked somewhere."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from uio_workloop.errors import LabError
from uio_workloop.testing.lab.architecture import Architecture
from uio_workloop.testing.lab.cache import Cache, Progress
from uio_workloop.testing.lab.host import run_tool
from uio_workloop.testing.lab.packages import Apt, newest_kernel

DEBIAN_SERIES = "6.12"
DEBIAN_FEATURES = {"debian": "", "debian-rt": "rt-"}  # what Debian's package names have before the architecture


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel as it lies on the host's disk; nothing here is written to."""

    version: str
    image: Path
    modules: Path  # its lib/modules/VERSION
    headers: Path  # what out-of-tree modules are built against; may be missing if there is nothing to build

    def check(self) -> None:
        """See that the files are there.

        Raises:
            LabError: one is missing or cannot be read.
        """
        for path, what in ((self.image, "image"), (self.modules, "modules")):
            if not os.access(path, os.R_OK):
                raise LabError(
                    f"cannot boot kernel {self.version}: its {what} {path} is missing or not readable; "
                    "use --kernel debian"
                )

    def fingerprint(self) -> str:
        """Changes when the kernel does, without reading it."""
        status = self.image.stat()
        return f"{self.version} {self.image} {status.st_size} {status.st_mtime_ns} {self.modules} {self.headers}"


def find_kernel(choice: str, architecture: Architecture, cache: Cache, progress: Progress, *, update: bool) -> Kernel:
    """The kernel meant by `--kernel`; downloads it if it is Debian's and not in the cache yet.

    Raises:
        LabError: there is no such kernel.
    """
    if choice in DEBIAN_FEATURES:
        flavour = DEBIAN_FEATURES[choice] + architecture.debian
        kernel = debian_kernel(flavour, architecture, cache, progress, update=update)
    elif choice == "host":
        kernel = host_kernel(architecture)
    else:
        kernel = unpacked_kernel(Path(choice).resolve(), architecture)
    kernel.check()
    return kernel


def host_kernel(architecture: Architecture) -> Kernel:
    """The kernel that runs on the host."""
    version = platform.release()
    modules = Path("/lib/modules") / version
    return Kernel(version, Path("/boot") / f"{architecture.image}{version}", modules, modules / "build")


def unpacked_kernel(root: Path, architecture: Architecture) -> Kernel:
    """The kernel in a directory that looks like unpacked Debian packages.

    Raises:
        LabError: it holds no kernel, or more than one.
    """
    images = sorted((root / "boot").glob(f"{architecture.image}*"))
    if len(images) != 1:
        raise LabError(
            f"cannot use {root} as a kernel: it has {len(images)} files boot/{architecture.image}*, not one; "
            "unpack one linux-image package there with dpkg -x"
        )
    version = images[0].name.removeprefix(architecture.image)
    modules = root / "lib/modules" / version
    if not modules.is_dir():
        modules = root / "usr/lib/modules" / version
    return Kernel(version, images[0], modules, root / "usr/src" / f"linux-headers-{version}")


def debian_kernel(
    flavour: str, architecture: Architecture, cache: Cache, progress: Progress, *, update: bool
) -> Kernel:
    """Debian's newest kernel of the series and this flavour; once chosen it stays the choice until `update`."""
    chosen = cache.root / "kernels" / f"debian-{DEBIAN_SERIES}-{flavour}.version"
    if not update and chosen.exists():
        root = cache.root / "kernels" / chosen.read_text().strip()
        if root.exists():
            return unpacked_kernel(root, architecture)
    progress.step("fetching the package lists of this machine's apt sources")
    apt = Apt(cache, architecture.debian)
    apt.update()
    version, packages = newest_kernel(apt, DEBIAN_SERIES, flavour)

    def download(path: Path) -> None:
        progress.step(f"downloading and unpacking {' '.join(packages)}")
        apt.unpack(packages, path)

    root = cache.part(f"kernels/{version}", download)
    cache.replace_text(chosen, version)
    return unpacked_kernel(root, architecture)


def kernel_source(kernel: Kernel, members: tuple[str, ...], apt: Apt, workshop: Path, progress: Progress) -> Path:
    """A few files of the kernel's own source, from the distribution's linux-source package.

    Raises:
        LabError: no such package can be had, or it lacks one of the files.
    """
    series = ".".join(kernel.version.split(".")[:2])
    package = f"linux-source-{series}"
    if not apt.available([package]):
        apt.update()
    if not apt.available([package]):
        raise LabError(
            f"kernel {kernel.version} lacks gpio-sim or uio_pdrv_genirq, and the apt sources of this machine "
            f"have no {package} to build them from; use --kernel debian"
        )
    progress.step(f"downloading {package}")
    apt.unpack([package], workshop / "package")
    archives = sorted((workshop / "package/usr/src").glob(f"{package}.tar.*"))
    progress.step(f"taking {', '.join(Path(member).name for member in members)} out of {package}")
    destination = workshop / "source"
    destination.mkdir()
    run_tool(
        [
            *("tar", "-xf", archives[0], "--strip-components=1", "--occurrence=1", "-C", destination),
            *(f"{package}/{member}" for member in members),
        ],
        f"take sources out of {package}",
    )
    return destination
