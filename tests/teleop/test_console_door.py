"""Laws of the console's door: the loopback alone, and only its own pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import ConfigError
from rove_teleop.console.door import LOOPBACK_NAMES, Address, read_address, refusal

ports = st.integers(1, 65535)


@given(st.sampled_from(LOOPBACK_NAMES), ports)
def test_the_loopback_is_read(name: str, port: int) -> None:
    """Name, IPv4 and IPv6, with any port."""
    assert read_address(f"http://{name}:{port}") == Address(name.strip("[]"), port)


@pytest.mark.parametrize(
    "text",
    [
        "http://0.0.0.0:7450",
        "http://192.168.1.4:7450",
        "http://[::]:7450",
        "http://robot.local:7450",
        "http://127.0.0.1.evil.example:7450",
        "https://127.0.0.1:7450",
        "http://127.0.0.1",
        "http://127.0.0.1:99999",
        "http://me@127.0.0.1:7450",
        "http://127.0.0.1:7450/console",
        "tcp://127.0.0.1:7450",
        "127.0.0.1:7450",
        "",
    ],
)
def test_everything_else_is_refused_with_a_way_out(text: str) -> None:
    """A network, a missing port or another scheme is an error that shows an address that works."""
    with pytest.raises(ConfigError, match=r"http://127\.0\.0\.1:7450") as error:
        read_address(text)
    assert repr(text) in str(error.value)


@given(st.sampled_from(LOOPBACK_NAMES), st.sampled_from(LOOPBACK_NAMES), ports)
def test_its_own_pages_come_in(name: str, origin: str, port: int) -> None:
    """Under each of its names, with and without an origin (a program sends none)."""
    assert refusal({"Host": f"{name}:{port}"}, port) == ""
    own = {"Host": f"{name}:{port}", "Origin": f"http://{origin}:{port}"}
    assert refusal(own, port) == ""


@given(st.text(max_size=30), ports)
def test_other_hosts_and_origins_stay_outside(text: str, port: int) -> None:
    """DNS rebinding shows in the host, another page in the origin; an opaque origin is another."""
    own = f"127.0.0.1:{port}"
    if text not in {f"{name}:{port}" for name in LOOPBACK_NAMES}:
        assert refusal({"Host": text}, port)
    if text not in {f"http://{name}:{port}" for name in LOOPBACK_NAMES}:
        assert refusal({"Host": own, "Origin": text}, port)
    assert refusal({"Host": own, "Origin": "null"}, port)
    assert refusal({"Host": own, "Origin": f"http://127.0.0.1:{port + 1}"}, port)
    assert refusal({}, port)
