"""In which order modules are inserted, and the small corrections that let them build."""

from __future__ import annotations

import pytest

from uio_workloop.errors import LabError
from uio_workloop.testing.lab.modules import as_module, load_order, local_headers, module_name

DEPENDENCIES = """\
kernel/fs/netfs/netfs.ko.xz:
kernel/net/9p/9pnet.ko.xz: kernel/fs/netfs/netfs.ko.xz
kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs/netfs.ko.xz
kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs/netfs.ko.xz
lab/gpio-sim.ko: lab/irq_sim.ko
lab/irq_sim.ko:
"""
BUILTIN = "kernel/drivers/virtio/virtio_pci.ko\n"


def test_a_module_follows_what_it_needs_and_nothing_comes_twice():
    assert [module_name(path) for path in load_order(DEPENDENCIES, BUILTIN, ["9pnet_virtio", "9p"])] == [
        "netfs",
        "9pnet",
        "9pnet_virtio",
        "9p",
    ]


def test_a_dash_and_an_underscore_are_the_same_module():
    assert load_order(DEPENDENCIES, BUILTIN, ["gpio_sim"]) == ["lab/irq_sim.ko", "lab/gpio-sim.ko"]


def test_what_is_built_in_needs_no_insertion():
    assert load_order(DEPENDENCIES, BUILTIN, ["virtio_pci"]) == []


def test_a_missing_module_is_named():
    with pytest.raises(LabError, match="overlay"):
        load_order(DEPENDENCIES, BUILTIN, ["overlay"])


def test_unpacked_headers_are_used_through_a_corrected_copy_of_their_makefile(tmp_path):
    headers = tmp_path / "root/usr/src/linux-headers-1-amd64"
    headers.mkdir(parents=True)
    (headers / "Makefile").write_text("include /usr/src/linux-headers-1-common/Makefile\n")
    (headers / "Module.symvers").write_text("symbols")

    local = local_headers(headers, tmp_path)

    assert (local / "Makefile").read_text() == f"include {tmp_path}/root/usr/src/linux-headers-1-common/Makefile\n"
    assert (local / "Module.symvers").read_text() == "symbols"
    assert (headers / "Makefile").read_text().startswith("include /usr/src/")


def test_headers_with_another_makefile_are_used_as_they_are(tmp_path):
    (tmp_path / "Makefile").write_text("# SPDX-License-Identifier: GPL-2.0\n")

    assert local_headers(tmp_path, tmp_path) == tmp_path


def test_the_interrupt_simulator_becomes_a_module(tmp_path):
    source = tmp_path / "irq_sim.c"
    source.write_text("\thandle_simple_irq(irq_to_desc(irqnum));\n")

    as_module(source)

    text = source.read_text()
    assert "generic_handle_irq(irqnum);" in text
    assert "irq_to_desc" not in text
    assert 'MODULE_LICENSE("GPL")' in text
