"""Point the ROS message wheels' CMake exports at this interpreter's and this NumPy's headers.

The wheels carry the include folders of the machine that built them
(`/opt/python/cp311-cp311/include/python3.11` and NumPy's below it), so CMake refuses every
package that depends on a message package. Run once after the wheels are installed; running it
again changes nothing.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from pathlib import Path

# The two folders exactly as a builder image names them, for any CPython it has.
PYTHON_INCLUDE = re.compile(r"/opt/(?:_internal|python)/[^;\"]*?/include/python3\.\d+")
NUMPY_INCLUDE = re.compile(r"/opt/(?:_internal|python)/[^;\"]*?/numpy/_?core/include")


def rewrite(text: str, python_include: str, numpy_include: str) -> str:
    """Return the export file's text with both include folders replaced by the given ones."""
    text = NUMPY_INCLUDE.sub(lambda _: numpy_include, text)
    return PYTHON_INCLUDE.sub(lambda _: python_include, text)


def fix(prefix: Path, python_include: str, numpy_include: str) -> int:
    """Rewrite `<prefix>/share/*/cmake/*_pyExport.cmake`; return how many files changed."""
    changed = 0
    for path in sorted(prefix.glob("share/*/cmake/*_pyExport.cmake")):
        before = path.read_text()
        after = rewrite(before, python_include, numpy_include)
        if after != before:
            # Not in place: pip may have linked the file from a cache shared with others.
            fresh = path.with_suffix(".cmake.new")
            fresh.write_text(after)
            os.replace(fresh, path)
            changed += 1
    return changed


def main() -> int:
    """Fix the environment that runs this file."""
    import numpy

    python_include = sysconfig.get_path("include")
    header = Path(python_include) / "Python.h"
    if not header.is_file():
        print(f"{header} is missing: install the Python headers (python3-dev)", file=sys.stderr)
        return 1
    changed = fix(Path(sys.prefix), python_include, numpy.get_include())
    print(f"ROS wheels: {changed} CMake export files pointed at this Python and this NumPy")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
