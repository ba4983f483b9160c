"""Space taken ahead is given back, and changes nothing that is read."""

import os

import pytest

from sim.room_ahead import STEP_BYTES, RoomAhead


@pytest.mark.parametrize("size", [0, 5, STEP_BYTES, STEP_BYTES + 1])
def test_the_file_has_its_bytes_and_no_more_space_than_it_needs(size, tmp_path):
    with open(tmp_path / "x", "wb", buffering=0) as file:
        room = RoomAhead(file)
        room.take(size)
        file.write(bytes(size))
        room.give_back(size)
        os.fsync(file.fileno())
    status = (tmp_path / "x").stat()
    assert status.st_size == size
    assert status.st_blocks * 512 < size + (1 << 20)
    assert (tmp_path / "x").read_bytes() == bytes(size)


def test_nothing_is_taken_where_the_system_refuses(tmp_path):
    (tmp_path / "x").write_bytes(b"old")
    with open(tmp_path / "x", "rb") as file:  # not open for writing
        RoomAhead(file).take(1)
        RoomAhead(file).give_back(0)
    assert (tmp_path / "x").read_bytes() == b"old"
