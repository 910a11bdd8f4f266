"""The sentence for somebody who may not open a device's file."""

from __future__ import annotations

import os

import pytest

from uio_workloop.devices import permission


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A file that the rules are about, and no rules."""
    path = tmp_path / "uio0"
    path.touch(mode=0o600)
    monkeypatch.setattr(permission, "COVERED", (str(path),))
    monkeypatch.setattr(permission, "RULES_DIRECTORIES", (str(tmp_path),))
    return path


def test_without_the_rules_it_says_how_to_install_them(node):
    assert permission.who_may(str(node)).endswith(
        "mode -rw-------; run as root, or make install-udev: its 70-uio-workloop.rules gives it to group uio"
    )


def test_with_the_rules_it_says_how_to_apply_them(node, tmp_path):
    (tmp_path / "udev/rules.d").mkdir(parents=True)
    (tmp_path / "udev/rules.d/70-uio-workloop.rules").touch()
    assert permission.who_may(str(node)).endswith(
        "have udev apply 70-uio-workloop.rules, which gives it to group uio: as root, udevadm trigger"
    )


def test_of_a_link_it_says_whom_the_device_belongs_to(node, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(node)
    assert permission.who_may(str(link)) == permission.who_may(str(node))


def test_a_file_that_the_rules_are_not_about_is_left_to_other_rules(tmp_path):
    path = tmp_path / "i2c-1"
    path.touch(mode=0o600)
    assert permission.who_may(str(path)).endswith("run as root, or have a udev rule give it to a group of yours")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other groups")
def test_a_group_that_has_no_name_is_told_by_number(tmp_path):
    path = tmp_path / "uio0"
    path.touch(mode=0o660)
    os.chmod(path, 0o660)
    os.chown(path, -1, 54321)
    assert "join group 54321: as root, usermod -aG 54321 root; then log in again" in permission.who_may(str(path))
