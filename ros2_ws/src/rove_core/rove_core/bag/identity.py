"""Who is named in a bag, and how to put a pseudonym wherever a name stands."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from rove_core.bag.cuts import CUTS_FILE
from rove_core.bag.reader import Bag
from rove_core.errors import ConfigError

IDENTITY_FIELDS = {
    "operator/frame": ("operator_id",),
    "operator/device": ("operator_id", "calibration_name"),
    "arbiter/state": ("lease_holder",),
}
"""Topic -> fields that hold the id of an operator, or the name of their calibration."""
TEXT_FIELDS = {
    "arbiter/state": ("reason", "question"),
    "episode": ("reason",),
    "policy/status": ("reason",),
}
"""Topic -> fields that are sentences for people, which may name persons who called a service."""
SENTENCES = (
    re.compile(r"\b(?:started|paused|resumed|stopped|reset|approved) by (.+?)(?=[:;,]|$)"),
    re.compile(r"^(.+?) gave the lease to (.+?)(?=[:;,]|$)"),
    re.compile(r"^(.+?) agreed that policy\b"),
)
"""How the arbiter and the policy node name persons (rove_teleop/arbiter, rove/intake.py)."""
NOBODY = frozenset({"", "nobody", "a person", "an operator", "a supervisor"})
MIN_KEY_BYTES = 16
_LETTER = r"[^\W_]"  # an underscore separates words: "ada_2026" names Ada


class Pseudonyms:
    """One pseudonym for each name, the same in every bag that is redacted with this object.

    Args:
        key: makes them stable over runs: whoever has the key can tell which name a pseudonym
            stands for, and nobody else. Without one they count: operator-1, operator-2, ...

    Raises:
        ConfigError: the key is too short to resist guessing.
    """

    def __init__(self, key: bytes | None = None) -> None:
        if key is not None and len(key) < MIN_KEY_BYTES:
            allowed = f"at least {MIN_KEY_BYTES} random bytes"
            raise ConfigError("pseudonym key of length", len(key), allowed)
        self._key = key
        self._known: dict[str, str] = {}

    def of(self, name: str) -> str:
        """Return the pseudonym of a name, whatever its case."""
        folded = name.casefold()
        if folded not in self._known:
            if self._key is None:
                self._known[folded] = f"operator-{len(self._known) + 1}"
            else:
                mac = hmac.new(self._key, folded.encode(), hashlib.sha256)
                self._known[folded] = f"operator-{mac.hexdigest()[:12]}"
        return self._known[folded]


class Replacer:
    """Puts pseudonyms where names stand as words of their own, whatever their case.

    Args:
        names: to be replaced.
        pseudonyms: for them.
    """

    def __init__(self, names: Iterable[str], pseudonyms: Pseudonyms) -> None:
        self.names = tuple(dict.fromkeys(name for name in names if name.strip()))
        self._pseudonyms = pseudonyms
        for name in self.names:
            pseudonyms.of(name)  # numbers follow the order in which they were found
        longest = sorted(self.names, key=len, reverse=True)
        words = "|".join(re.escape(name) for name in longest)
        self._pattern = re.compile(
            rf"(?<!{_LETTER})(?:{words})(?!{_LETTER})" if words else r"(?!)", re.IGNORECASE
        )
        # CDR is UTF-8: bytes that hold none of these hold no name in any case.
        self._bytes = {
            form.encode().lower() for n in self.names for form in (n, n.lower(), n.upper())
        }
        self._made = [pseudonyms.of(name) for name in self.names]

    def may_be_in(self, data: bytes) -> bool:
        """Return False when no name stands in these bytes; True is only a suspicion."""
        lower = data.lower()
        return any(word in lower for word in self._bytes)

    def text(self, text: str) -> str:
        """Return the text with pseudonyms."""
        return self._pattern.sub(lambda found: self._pseudonyms.of(found[0]), text)

    def is_in(self, text: str) -> bool:
        """Return whether a name still stands in a text; those inside a pseudonym do not count."""
        for made in self._made:
            text = text.replace(made, "")
        return self._pattern.search(text) is not None

    def plain(self, value: Any) -> Any:
        """Return JSON data with pseudonyms, in keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.plain(key): self.plain(item) for key, item in value.items()}
        return [self.plain(item) for item in value] if isinstance(value, list) else value

    def json(self, text: str) -> str:
        """Return a JSON text with pseudonyms, or any other text with them.

        Names hide in JSON: it may write a letter as its number.
        """
        try:
            value = json.loads(text)
        except ValueError:
            return self.text(text)
        if not isinstance(value, (dict, list)):
            return self.text(text)
        changed = self.plain(value)
        return text if changed == value else json.dumps(changed, sort_keys=True)


def names_in(bag: Bag) -> Iterator[str]:
    """Yield every name that a bag tells of operators and other persons, some more than once."""
    yield bag.info.operator_id
    yield str(bag.info.calibration.get("name", ""))
    yield from _named(bag.outcome.reason)
    topics = [name for name in {**IDENTITY_FIELDS, **TEXT_FIELDS} if name in bag.topics]
    last: dict[str, tuple[str, ...]] = {}
    for message in bag.messages(topics) if topics else ():
        fields = (*IDENTITY_FIELDS.get(message.topic, ()), *TEXT_FIELDS.get(message.topic, ()))
        told = tuple(getattr(message.message, field, "") for field in fields)
        if last.get(message.topic) == told:
            continue  # most messages of a stream tell what the one before told
        last[message.topic] = told
        for field, text in zip(fields, told, strict=True):
            if field in IDENTITY_FIELDS.get(message.topic, ()):
                yield text
            else:
                yield from _named(text)
    yield from _cutters(bag)


def _named(text: str) -> Iterator[str]:
    for sentence in SENTENCES:
        for found in sentence.finditer(text):
            yield from (name for name in found.groups() if name not in NOBODY)


def _cutters(bag: Bag) -> Iterator[str]:
    try:
        plain = json.loads((bag.path / CUTS_FILE).read_text(encoding="utf-8"))
        rows = [*plain["spans"], *([plain["whole"]] if plain["whole"] else [])]
        yield from (str(row["by"]) for row in rows)
    except (OSError, ValueError, KeyError, TypeError):
        return  # reading the cuts themselves says what is wrong with them
