"""Domains of tests: nobody else's."""

from __future__ import annotations

import socket

import pytest

from tests import domains


@pytest.mark.parametrize("participant", [0, 7])
def test_a_domain_in_use_is_not_claimed(
    participant: int, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    """A graph that holds no lock, for example of another user, is seen by its port."""
    monkeypatch.setattr(domains, "FOLDER", tmp_path / "domains")
    monkeypatch.setattr(domains, "_held", {})
    free = domains.claim_domain()
    port = 7410 + 250 * (free % domains.LARGEST + 1) + 2 * participant
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", port))
        assert domains.claim_domain() != free % domains.LARGEST + 1
