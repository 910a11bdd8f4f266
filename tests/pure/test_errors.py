"""The tree of errors: what a caller would try first catches them."""

from __future__ import annotations

import errno

import pytest

from uio_workloop import errors


def classes() -> list[type[errors.WorkLoopError]]:
    return [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.WorkLoopError)]


@pytest.mark.parametrize("error", classes(), ids=lambda each: each.__name__)
def test_every_error_has_a_code_a_doc_and_a_built_in_parent(error):
    assert error.io_return >> 16 == 0xE000
    assert error.__doc__
    assert error is errors.WorkLoopError or issubclass(error, (OSError, RuntimeError, ValueError, TimeoutError))


def test_a_device_error_is_its_sentence_and_keeps_errno_and_path():
    error = errors.PrivilegeError("cannot open /dev/uio0: no permission", path="/dev/uio0")
    assert str(error) == "cannot open /dev/uio0: no permission"
    assert (error.errno, error.filename) == (errno.EACCES, "/dev/uio0")
    assert isinstance(error, PermissionError)


def test_device_not_found_is_a_file_not_found_error():
    with pytest.raises(FileNotFoundError):
        raise errors.DeviceNotFoundError("no /dev/uio9", path="/dev/uio9")
