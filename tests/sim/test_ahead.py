"""Reading ahead: all bytes, in order, and what goes wrong is told to whoever waits for them."""

import pytest

from sim.ahead import Ahead


def test_each_room_is_filled_in_turn_and_the_last_as_far_as_the_file_goes(tmp_path):
    (tmp_path / "file").write_bytes(bytes(range(10)))
    with (tmp_path / "file").open("rb", buffering=0) as file:
        ahead, found = Ahead(file), []
        for _ in range(4):
            room = bytearray(4)
            ahead.ask(memoryview(room))
            found.append(bytes(room[: ahead.answer()]))
        ahead.stop()
    assert found == [bytes(range(4)), bytes(range(4, 8)), bytes(range(8, 10)), b""]


def test_an_error_is_raised_where_the_bytes_were_wanted(tmp_path):
    with (tmp_path / "file").open("wb", buffering=0) as unreadable:
        ahead = Ahead(unreadable)
        ahead.ask(memoryview(bytearray(4)))
        with pytest.raises(OSError, match="not open for reading"):
            ahead.answer()
        ahead.stop()
