"""ApprovalBook: which policies a person agreed to let drive this robot."""

from __future__ import annotations

import json
from pathlib import Path

from rove_core.delivery.files import write_atomic
from rove_core.errors import PolicyError

FILE = "approved.json"


class ApprovalBook:
    """Digests that a person agreed to, kept over restarts beside the policies.

    Args:
        folder: of the policy store; made by the first approval.

    Raises:
        PolicyError: the file is there and cannot be read; nobody is asked to guess.
    """

    def __init__(self, folder: str | Path) -> None:
        self._path = Path(folder) / FILE
        self._who: dict[str, str] = {}
        if self._path.exists():
            try:
                entries = json.loads(self._path.read_text(encoding="utf-8"))
                self._who = {str(digest): str(person) for digest, person in entries.items()}
            except (OSError, ValueError, AttributeError) as error:
                cure = "delete it, and each policy is asked about again"
                raise PolicyError(
                    f"approvals {self._path} cannot be read ({error}); {cure}"
                ) from error

    def __contains__(self, digest: str) -> bool:
        return digest in self._who

    def approve(self, digest: str, person: str) -> None:
        """Remember that a person agreed.

        Raises:
            PolicyError: no digest, or no person: an agreement has both.
        """
        if not digest or not person:
            raise PolicyError(
                f"approval: digest {digest!r} by {person!r} given; a digest and a person allowed"
            )
        self._who[digest] = person
        text = json.dumps(self._who, indent=1, sort_keys=True)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, text.encode())
