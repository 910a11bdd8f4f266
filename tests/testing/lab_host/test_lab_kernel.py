"""Which kernel `--kernel` means."""

from __future__ import annotations

import pytest

from uio_workloop.errors import LabError
from uio_workloop.testing.lab import kernel as kernel_module
from uio_workloop.testing.lab.architecture import ARCHITECTURES
from uio_workloop.testing.lab.cache import Cache, Progress
from uio_workloop.testing.lab.kernel import find_kernel

ARCHITECTURE = ARCHITECTURES["x86_64"]
PLAIN, REAL_TIME = "6.12.9+deb13-amd64", "6.12.9+deb13-rt-amd64"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache that has both kernels, on a machine without apt-get."""
    monkeypatch.setattr(kernel_module, "Apt", no_apt)
    made = Cache(tmp_path / "lab")
    for name, version in (("debian-6.12-amd64", PLAIN), ("debian-6.12-rt-amd64", REAL_TIME)):
        unpack(made.root / "kernels" / version, version)
        made.replace_text(made.root / "kernels" / f"{name}.version", version)
    return made


def no_apt(*arguments):
    raise LabError("this host has no apt-get")


def unpack(root, version):
    (root / "boot").mkdir(parents=True)
    (root / "boot" / f"vmlinuz-{version}").touch()
    (root / "lib/modules" / version).mkdir(parents=True)


def find(choice, cache):
    return find_kernel(choice, ARCHITECTURE, cache, Progress(quiet=True), update=False)


@pytest.mark.parametrize(("choice", "version"), [("debian", PLAIN), ("debian-rt", REAL_TIME)])
def test_a_kernel_of_debians_is_taken_from_the_cache_by_its_flavour(cache, choice, version):
    found = find(choice, cache)

    assert found.version == version
    assert found.headers == cache.root / "kernels" / version / "usr/src" / f"linux-headers-{version}"


def test_one_that_is_not_in_the_cache_is_asked_of_apt(cache):
    (cache.root / "kernels/debian-6.12-rt-amd64.version").unlink()

    with pytest.raises(LabError, match="no apt-get"):
        find("debian-rt", cache)


def test_a_directory_of_unpacked_packages_is_a_kernel_too(cache, tmp_path):
    unpack(tmp_path / "mine", "7.0-mine")

    assert find(str(tmp_path / "mine"), cache).version == "7.0-mine"


def test_what_is_no_kernel_is_named_with_what_was_found_there(cache, tmp_path):
    with pytest.raises(LabError, match=r"debian-tr as a kernel: it has 0 files boot/vmlinuz-"):
        find(str(tmp_path / "debian-tr"), cache)
