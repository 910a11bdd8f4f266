"""Parts of the cache are whole or not there."""

from __future__ import annotations

import fcntl
import os

import pytest

from uio_workloop.errors import LabError
from uio_workloop.testing.lab.cache import Cache


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "lab")


def test_a_part_is_built_once(cache):
    built = []

    def build(path):
        built.append(path)
        path.write_text("done")

    assert cache.part("kind/key", build).read_text() == "done"
    assert cache.part("kind/key", build).read_text() == "done"
    assert len(built) == 1


def test_a_part_that_could_not_be_built_leaves_nothing(cache):
    def fail(path):
        path.mkdir()
        (path / "half").touch()
        raise LabError("no")

    with pytest.raises(LabError):
        cache.part("kind/key", fail)

    assert list((cache.root / "kind").iterdir()) == []


def test_what_a_killed_builder_left_is_swept(cache):
    leftover = cache.root / "kind/.key.dead"
    leftover.mkdir(parents=True)

    cache.part("kind/key", lambda path: path.touch())

    assert not leftover.exists()


def test_the_directory_of_a_run_is_gone_afterwards(cache):
    with cache.run_directory() as directory:
        (directory / "file").touch()

    assert not directory.exists()


def test_the_directory_of_a_killed_run_is_swept_and_that_of_a_living_one_is_not(cache):
    dead = cache.root / "runs/run-dead"
    living = cache.root / "runs/run-living"
    for directory in (dead, living):
        directory.mkdir()
        (directory / "alive").touch()
    with open(living / "alive", "rb") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)

        with cache.run_directory():
            assert not dead.exists()
            assert living.exists()


def test_only_the_youngest_parts_are_kept(cache):
    for age, name in enumerate(("young", "older", "oldest")):
        path = cache.part(f"kind/{name}", lambda path: path.touch())
        os.utime(path, (1000 - age, 1000 - age))

    cache.prune("kind", keep=2)

    assert sorted(path.name for path in (cache.root / "kind").iterdir()) == ["older", "young"]


def test_a_cache_the_makefiles_cannot_name_is_refused(tmp_path):
    with pytest.raises(LabError, match="XDG_CACHE_HOME"):
        Cache(tmp_path / "with blank")
