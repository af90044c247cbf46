"""Fixtures of the tests that talk over DDS."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rove.environment import HOOK_GUARD
from tests.domains import claim_domain


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> int:
    """A ROS_DOMAIN_ID of this test's own, in the environment, with discovery kept local."""
    domain = claim_domain()
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return domain


RunPython = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_python(ros_domain: int) -> RunPython:
    """Run a Python program in a process of its own, in this test's domain.

    An executor that hangs never gives the GIL back, so only another process can time it out.
    """

    def run(
        program: str, *arguments: str, timeout: float = 60.0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, **(env or {})}
        variables.pop(HOOK_GUARD, None)
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=variables,
            cwd=Path(__file__).parent,
            check=False,
        )

    return run
