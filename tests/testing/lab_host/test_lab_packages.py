"""Which kernel packages are chosen from what apt knows."""

from __future__ import annotations

from uio_workloop.testing.lab.packages import build_packages, kernel_versions, parse_stanzas

BOOKWORM = [
    "linux-image-6.12-amd64",
    "linux-image-6.12-amd64-dbg",
    "linux-image-6.12.9+deb12-amd64",
    "linux-image-6.12.117+deb12-amd64",
    "linux-image-6.12.117+deb12-amd64-unsigned",
    "linux-image-6.12.117+deb12-cloud-amd64",
    "linux-image-6.12.118+deb12-rt-amd64",
    "linux-image-6.12.101+deb12-amd64",
    "linux-image-6.1.0-50-amd64",
]


def test_the_newest_plain_kernel_comes_first_by_number_not_by_letter():
    assert kernel_versions(BOOKWORM, "6.12", "amd64") == [
        "6.12.117+deb12-amd64",
        "6.12.101+deb12-amd64",
        "6.12.9+deb12-amd64",
    ]


def test_kernels_of_trixie_and_its_backports_are_found():
    names = ["linux-image-6.12.22+bpo-amd64", "linux-image-6.12.48+deb13-amd64", "linux-image-6.12.9-amd64"]

    assert kernel_versions(names, "6.12", "amd64") == [
        "6.12.48+deb13-amd64",
        "6.12.22+bpo-amd64",
        "6.12.9-amd64",
    ]


def test_old_names_carry_a_number_of_their_own():
    assert kernel_versions(BOOKWORM, "6.1", "amd64") == ["6.1.0-50-amd64"]


def test_a_series_is_not_a_prefix():
    assert kernel_versions(["linux-image-6.120.1-amd64"], "6.12", "amd64") == []


def test_another_flavour_is_another_kernel():
    names = ["linux-image-6.12.48+deb13-arm64", "linux-image-6.12.48+deb13-amd64"]

    assert kernel_versions(names, "6.12", "arm64") == ["6.12.48+deb13-arm64"]


def test_a_real_time_kernel_is_a_flavour_and_no_plain_kernel_is_taken_for_one():
    assert kernel_versions([*BOOKWORM, "linux-image-6.12-rt-amd64"], "6.12", "rt-amd64") == ["6.12.118+deb12-rt-amd64"]


def test_only_the_newest_of_several_stanzas_counts():
    text = "Package: a\nDepends: b (>= 1)\nSize: 1\n\nPackage: a\nDepends: old\n\nPackage: c\nSize: 2\n"

    assert parse_stanzas(text) == {"a": "b (>= 1)", "c": ""}


def test_the_headers_need_packages_of_the_kernel_and_not_the_compiler():
    depends = (
        "linux-headers-6.12.117+deb12-common (= 6.12.117-1~deb12u1), "
        "linux-kbuild-6.12.117+deb12 (>= 6.12), gcc-12, linux-compiler-gcc-12-x86"
    )

    assert build_packages(depends) == ["linux-headers-6.12.117+deb12-common", "linux-kbuild-6.12.117+deb12"]


def test_the_headers_of_a_real_time_kernel_need_those_that_have_its_patches():
    depends = (
        "linux-base (>= 4.12~), linux-headers-6.12.117+deb12-common-rt (= 6.12.117-1~deb12u1), "
        "linux-image-6.12.117+deb12-rt-amd64 (= 6.12.117-1~deb12u1), linux-kbuild-6.12.117+deb12, gcc-12"
    )

    assert build_packages(depends) == ["linux-headers-6.12.117+deb12-common-rt", "linux-kbuild-6.12.117+deb12"]
