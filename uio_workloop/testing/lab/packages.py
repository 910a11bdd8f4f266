"""Debian packages without root: apt-get with lists, state and an empty package status of its own.

Sources, keys, proxies and preferences stay the machine's. Nothing is installed, only downloaded and unpacked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from uio_workloop.errors import LabError
from uio_workloop.testing.lab.cache import Cache
from uio_workloop.testing.lab.host import find_tool, run_tool

# "#clear" because a machine's own hooks after `apt-get update` want root, and act on the machine's own cache.
CONFIGURATION = """\
#clear APT::Architectures;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
Dir::State "{state}";
Dir::State::Lists "{state}/lists";
Dir::State::status "{state}/status";
Dir::Cache "{state}/cache";
"""


class Apt:
    """apt-get and apt-cache for one architecture."""

    def __init__(self, cache: Cache, architecture: str) -> None:
        if find_tool("apt-get") is None:
            raise LabError(
                "cannot fetch kernel packages: this host has no apt-get; "
                "use --kernel with a directory of unpacked Debian packages"
            )
        self.cache = cache
        self.state = cache.root / "apt" / architecture
        self.configuration = self.state / "apt.conf"
        for name in ("lists/partial", "cache/archives/partial"):
            (self.state / name).mkdir(parents=True, exist_ok=True)
        (self.state / "status").touch()
        cache.replace_text(self.configuration, CONFIGURATION.format(architecture=architecture, state=self.state))

    def update(self) -> None:
        """Fetch the package lists of the configured sources.

        A source that cannot be reached is no error here: what is missing shows when a package is looked for.
        """
        with self.cache.lock("apt"):
            run_tool(["apt-get", "-c", self.configuration, "-qq", "update"], "fetch the package lists", check=False)

    def names(self, prefix: str) -> list[str]:
        """Names of packages that begin so; also names that are only mentioned and cannot be had."""
        return self._ask("pkgnames", prefix).split()

    def available(self, names: Iterable[str]) -> dict[str, str]:
        """Name and `Depends:` of those of the packages that the sources really have."""
        return parse_stanzas(self._ask("show", "--no-all-versions", *names))

    def _ask(self, *words: str) -> str:
        with self.cache.lock("apt"):  # not while another run replaces the lists
            # apt-cache show of one unknown name fails, and still shows the others
            shown = run_tool(["apt-cache", "-c", self.configuration, *words], "look for packages", check=False)
        return shown.decode(errors="replace")

    def unpack(self, names: Sequence[str], destination: Path) -> None:
        """Download the packages and unpack them into `destination`; no maintainer script runs.

        Raises:
            LabError: one of them cannot be downloaded or unpacked.
        """
        archives = destination.parent / "archives"
        archives.mkdir(parents=True)
        with self.cache.lock("apt"):
            run_tool(
                ["apt-get", "-c", self.configuration, "-q", "download", *names],
                f"download {' '.join(names)}",
                cwd=archives,
            )
        for archive in sorted(archives.glob("*.deb")):
            run_tool(["dpkg", "-x", archive, destination], f"unpack {archive.name}")
            archive.unlink()
        archives.rmdir()


def parse_stanzas(text: str) -> dict[str, str]:
    """Package name to its `Depends:` from what `apt-cache show` prints."""
    found: dict[str, str] = {}
    for stanza in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", stanza, re.MULTILINE))
        if "Package" in fields:
            found.setdefault(fields["Package"], fields.get("Depends", ""))
    return found


def kernel_versions(names: Iterable[str], series: str, flavour: str) -> list[str]:
    """Kernel versions ("6.12.117+deb12-amd64") among names of image packages, newest first.

    Only kernels of that flavour ("amd64", "rt-amd64"): "-cloud-", "-unsigned" and "-dbg" are other packages.
    """
    pattern = re.compile(rf"linux-image-({re.escape(series)}\.[0-9][^-]*(?:-[0-9]+)?-{re.escape(flavour)})")
    versions = {match[1] for name in names if (match := pattern.fullmatch(name))}
    return sorted(versions, key=_by_numbers, reverse=True)


def _by_numbers(version: str) -> list[tuple[int, str]]:
    return [(int(word), "") if word.isdigit() else (-1, word) for word in re.findall(r"\d+|\D+", version)]


def build_packages(headers_depends: str) -> list[str]:
    """What the headers package needs of the kernel's own packages; the compiler is the host's business."""
    return sorted(set(re.findall(r"\blinux-(?:headers|kbuild)-[^\s,(|]+", headers_depends)))


def newest_kernel(apt: Apt, series: str, flavour: str) -> tuple[str, list[str]]:
    """The newest kernel of a series that the sources have completely: its version and its packages.

    Raises:
        LabError: there is none.
    """
    for version in kernel_versions(apt.names(f"linux-image-{series}."), series, flavour):
        image, headers = f"linux-image-{version}", f"linux-headers-{version}"
        offered = apt.available([image, headers])
        if image in offered and headers in offered:
            return version, [image, headers, *build_packages(offered[headers])]
    raise LabError(
        f"cannot find a kernel {series} for {flavour} in the apt sources of this machine: "
        f"add one that has linux-image-{series}-{flavour} (in Debian 12 its security updates, bookworm-security), "
        "or use --kernel"
    )
