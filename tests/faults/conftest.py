"""The graph campaign uses the harness of the system tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "system"))
