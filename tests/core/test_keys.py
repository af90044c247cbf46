"""Key pairs on disk: made once, private, and refused with a cure when something is wrong."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zmq

from rove_core.errors import ConfigError
from rove_core.keys import KeyStore, default_folder


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys")


def test_a_pair_is_made_once_and_stays(store: KeyStore) -> None:
    """ensure is idempotent, and what it returns is what load and public return."""
    pair = store.ensure("bridge")
    assert store.ensure("bridge") == pair == store.load("bridge")
    assert store.public("bridge") == pair.public == zmq.curve_public(pair.secret)


def test_rivals_get_the_same_pair(store: KeyStore) -> None:
    """However many ask at once, one pair exists and no draft is left behind."""
    with ThreadPoolExecutor(16) as pool:
        pairs = set(pool.map(lambda _: store.ensure("operator").public, range(64)))
    assert len(pairs) == 1
    assert sorted(p.name for p in store.folder.iterdir()) == ["operator.key", "operator.pub"]


def test_only_the_owner_can_read_the_secret(store: KeyStore) -> None:
    """The folder is 0700, the secret 0600, and neither repr nor the .pub file shows the secret."""
    pair = store.ensure("bridge")
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((store.folder / "bridge.key").stat().st_mode) == 0o600
    assert pair.secret.decode() not in repr(pair)
    assert pair.secret not in (store.folder / "bridge.pub").read_bytes()


@pytest.mark.parametrize(("path", "mode"), [("bridge.key", 0o640), ("bridge.key", 0o604),
                                            (".", 0o750)])  # fmt: skip
def test_wrong_permissions_are_refused(store: KeyStore, path: str, mode: int) -> None:
    """A secret that others may read is not used, and the error holds the command that mends it."""
    store.ensure("bridge")
    target = store.folder / path
    target.chmod(mode)
    with pytest.raises(ConfigError, match=rf"{mode:o}.*chmod"):
        store.load("bridge")


def test_a_missing_key_names_its_cure(store: KeyStore) -> None:
    """Reading makes nothing, and the error tells which command would."""
    with pytest.raises(ConfigError, match="rove keys create bridge"):
        store.load("bridge")
    with pytest.raises(ConfigError, match="rove keys create bridge"):
        store.public("bridge")
    assert not store.folder.exists()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1, 2]", "{}", '{"public": "x", "secret": "y"}', '{"public": null, "secret": 3}',
     '{"public": "' + "a" * 40 + '", "secret": "' + "~" * 40 + '"}'],
)  # fmt: skip
def test_a_malformed_key_is_refused(store: KeyStore, text: str) -> None:
    """Whatever a key file holds, the answer is a pair or a ConfigError naming the file."""
    store.ensure("bridge")
    (store.folder / "bridge.key").write_text(text)
    with pytest.raises(ConfigError, match=r"bridge\.key"):
        store.load("bridge")


def test_halves_of_different_pairs_are_refused(store: KeyStore) -> None:
    """A public half that does not belong to the secret would fail only at the first connection."""
    mine, other = store.ensure("a"), store.ensure("b")
    path = store.folder / "a.key"
    path.write_text(path.read_text().replace(mine.public.decode(), other.public.decode()))
    with pytest.raises(ConfigError, match="do not fit"):
        store.load("a")


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "-rf", "x" * 65, "a b"])
def test_a_name_cannot_leave_the_folder(store: KeyStore, name: str) -> None:
    """Names are plain words, for keys and for roles."""
    for use in (store.ensure, store.load, store.public, store.authorized):
        with pytest.raises(ConfigError, match="name of a key"):
            use(name)


def test_authorised_keys_belong_to_a_role(store: KeyStore) -> None:
    """A key is accepted only in the role it was authorised for; nobody is by default."""
    assert store.authorized("operator") == {}
    ann, bob = KeyStore(store.folder.parent / "ann").ensure("ann"), store.ensure("bob")
    store.authorize("operator", "ann", ann.public)
    store.authorize("operator", "bob", bob.public)
    assert store.authorized("operator") == {ann.public: "ann", bob.public: "bob"}
    assert store.authorized("learner") == {}
    store.authorize("operator", "ann", bob.public)  # ann has a new machine: the old key is out
    assert ann.public not in store.authorized("operator")
    with pytest.raises(ConfigError, match="z85"):
        store.authorize("operator", "eve", b"not a key")


def test_a_malformed_authorised_key_is_not_skipped(store: KeyStore) -> None:
    """A typing error in a copied key must not look like a refusal."""
    store.authorize("operator", "ann", store.ensure("ann").public)
    (store.folder / "authorized" / "operator" / "ann.pub").write_text("oops\n")
    with pytest.raises(ConfigError, match=r"ann\.pub"):
        store.authorized("operator")


def test_the_folder_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """$ROVE_KEYS wins over the home folder; an empty value counts as unset."""
    monkeypatch.setenv("ROVE_KEYS", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.setenv("ROVE_KEYS", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder() == tmp_path / ".config" / "rove" / "keys"
