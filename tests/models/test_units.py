import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.units import (
    PS_PER_S,
    format_rate,
    format_size,
    format_time,
    parse_rate_bps,
    parse_size_bytes,
    parse_time_ps,
    serialization_ps,
)


@pytest.mark.parametrize(
    ("wire_bytes", "rate_bps", "time_ps"),
    [
        (1538, 10**10, 1_230_400),  # published-numbers.md section 1
        (84, 10**10, 67_200),
        (1538, 10**11, 123_040),
        (1, 8 * 10**11, 10),
        (1, 3, 2_666_666_666_667),  # rounded up
        (0, 10**9, 0),
    ],
)
def test_serialization_is_exact_or_rounded_up(wire_bytes, rate_bps, time_ps):
    assert serialization_ps(wire_bytes=wire_bytes, rate_bps=rate_bps) == time_ps


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_time_ps, "20us", 20_000_000),
        (parse_time_ps, "1.5 ms", 1_500_000_000),
        (parse_time_ps, "20µs", 20_000_000),
        (parse_time_ps, "0", 0),
        (parse_time_ps, "2s", 2 * PS_PER_S),
        (parse_rate_bps, "2.5Gbps", 2_500_000_000),
        (parse_rate_bps, "9600bps", 9600),
        (parse_size_bytes, "1500", 1500),
        (parse_size_bytes, "1MiB", 1 << 20),
        (parse_size_bytes, "64kB", 64_000),
    ],
)
def test_values_as_people_write_them(parse, text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_time_ps, "20"),
        (parse_time_ps, "0.1ps"),
        (parse_time_ps, "-1us"),
        (parse_time_ps, "fast"),
        (parse_time_ps, ""),
        (parse_time_ps, "10Gbps"),
        (parse_time_ps, "1e3us"),
        (parse_rate_bps, "10"),
        (parse_rate_bps, "10gbps"),
        (parse_rate_bps, "0.5bps"),
        (parse_size_bytes, "1.5"),
        (parse_size_bytes, "1 M"),
    ],
)
def test_what_is_not_exact_is_refused(parse, text):
    with pytest.raises(ValueError):
        parse(text)


@given(st.integers(0, 10**19))
def test_formatting_loses_nothing(value):
    assert parse_time_ps(format_time(value)) == value
    assert parse_rate_bps(format_rate(value)) == value
    assert parse_size_bytes(format_size(value)) == value


@given(st.integers(0, 10**7), st.integers(1, 10**12))
def test_serialization_is_never_too_short(wire_bytes, rate_bps):
    time_ps = serialization_ps(wire_bytes=wire_bytes, rate_bps=rate_bps)
    assert (time_ps - 1) * rate_bps < wire_bytes * 8 * PS_PER_S <= time_ps * rate_bps
