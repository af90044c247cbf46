"""Print pip's settings as uv's, a NAME=value line each: uv reads none of pip's.

Takes the output of `pip config list` on standard input; a later section of it wins, as for pip.
"""

from __future__ import annotations

import ast
import sys

NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}
SECTIONS = ("global", "install", ":env:")  # in the order in which they win; others are not ours


def translate(lines: list[str]) -> dict[str, str]:
    """Return uv's variables for lines like ``global.index-url='ADDRESS'``."""
    found: dict[str, tuple[int, str]] = {}
    for line in lines:
        key, _, quoted = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in SECTIONS and name in NAMES:
            rank = SECTIONS.index(section)
            known = found.get(NAMES[name])
            if known is None or rank >= known[0]:
                found[NAMES[name]] = rank, " ".join(str(ast.literal_eval(quoted)).split())
    return {name: value for name, (_, value) in found.items()}


if __name__ == "__main__":
    settings = {"UV_INDEX_STRATEGY": "unsafe-best-match"}  # of all indexes, as pip does
    settings |= translate(sys.stdin.read().splitlines())
    if "UV_FIND_LINKS" in settings:
        settings["UV_FIND_LINKS"] = settings["UV_FIND_LINKS"].replace(" ", ",")
    print(*(f"{name}={value}" for name, value in settings.items()), sep="\n")
