"""The set-up gives uv the settings that its user gave pip."""

from __future__ import annotations

import runpy

from repository import ROOT

translate = runpy.run_path(str(ROOT / ".ci" / "uv_settings.py"))["translate"]


def test_a_mirror_is_used_by_both() -> None:
    """Indexes, certificates and time-outs go by uv's names; several values by one space."""
    lines = [
        "global.index-url='https://mirror.example/simple'",
        "global.extra-index-url='\\nfile:///a\\nfile:///b'",
        "global.cert='/etc/ca.crt'",
        "freeze.timeout='10'",
        "global.require-virtualenv='true'",
        ":env:.timeout='180'",
    ]
    assert translate(lines) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "file:///a file:///b",
        "SSL_CERT_FILE": "/etc/ca.crt",
        "UV_HTTP_TIMEOUT": "180",
    }


def test_the_environment_wins() -> None:
    """As for pip: the environment before the section of `install`, that before the rest."""
    lines = [
        ":env:.index-url='https://c.example'",
        "install.index-url='https://b.example'",
        "global.index-url='https://a.example'",
    ]
    assert translate(lines) == {"UV_DEFAULT_INDEX": "https://c.example"}
    assert translate(lines[1:]) == {"UV_DEFAULT_INDEX": "https://b.example"}
    assert translate(lines[2:] + lines[1:2]) == {"UV_DEFAULT_INDEX": "https://b.example"}
