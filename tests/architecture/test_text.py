"""Rules about the text of the repository's files."""

from __future__ import annotations

import re

import pytest
from repository import PACKAGES, ROOT, python_files, repository_files

LONGEST = 400  # lines; at that length a module wants to be two

# Written apart, so that this file does not break its own rule.
FORBIDDEN = {
    "a package index of one machine": (
        r"(index" + r"[-_]url|find" + r"[-_]links)\W{1,4}(https?://(?!\w+\.example)|file:|/\w)"
    ),
    "where a registry of one machine keeps a package": r'"resol' + r'ved":\s*"http',
    "a person's folder": r"/home" + r"/[a-z]|/Users" + r"/[A-Za-z]|(?<![\w.])/root" + r"/",
}


def test_no_module_is_too_long() -> None:
    """No module of a package has more than 400 lines."""
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in PACKAGES.values()
        for path in python_files(folder)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
    }
    assert not long


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_depends_on_one_machine(what: str) -> None:
    """What is checked in names no machine's package index and no person's folder."""
    pattern = re.compile(FORBIDDEN[what])
    found = []
    for path in repository_files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # pictures, policies, bags
        found += [
            f"{path.relative_to(ROOT)}:{number}"
            for number, line in enumerate(lines, 1)
            if pattern.search(line)
        ]
    assert not found


def test_the_patterns_find_what_they_forbid() -> None:
    """Each forbidden thing is recognised in a line that has it."""
    lines = [
        "--extra-index" + "-url https://example.org",
        '"resol' + 'ved": "https://example.org/a.tgz",',
        "open('/home" + "/jo/bag')",
    ]
    for line, pattern in zip(lines, FORBIDDEN.values(), strict=True):
        assert re.search(pattern, line)
