"""Signatures of policies: what was signed is accepted, and nothing else is."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from delivery_examples import sha256, signed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rove_core.errors import ConfigError, PolicyError
from rove_core.signing import (
    DigestMismatchError,
    Signature,
    SigningKey,
    SigningStore,
    check_signature,
    decode_signature,
    read_public,
    read_signature,
    require_manifest,
    sign,
    signature_path,
    verify,
    write_signature,
)

DATA = b"a policy"


@pytest.fixture
def store(tmp_path: Path) -> SigningStore:
    return SigningStore(tmp_path / "keys")


@pytest.fixture
def key(store: SigningStore) -> SigningKey:
    return store.ensure("lab")


@pytest.fixture
def policy(tmp_path: Path, key: SigningKey) -> Path:
    path = tmp_path / "p.onnx"
    path.write_bytes(DATA)
    write_signature(path, signed(key, DATA))
    return path


# Keys


def test_a_pair_is_made_once_and_is_private(store: SigningStore) -> None:
    """ensure is idempotent also for rivals; the secret is 0600 and shows in no repr or public
    file; the public file reads back as the public half."""
    with ThreadPoolExecutor(8) as pool:
        pairs = set(pool.map(lambda _: store.ensure("lab"), range(32)))
    (pair,) = pairs
    assert pair == store.load("lab")
    assert sorted(p.name for p in store.folder.iterdir()) == ["lab.signing", "lab.verify"]
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((store.folder / "lab.signing").stat().st_mode) == 0o600
    public_text = (store.folder / "lab.verify").read_text()
    for shown in (repr(pair), public_text):
        assert pair.secret.hex() not in shown
        assert repr(pair.secret) not in shown
    assert read_public(store.folder / "lab.verify") == pair.public


def test_missing_exposed_and_malformed_keys_name_their_cure(store: SigningStore) -> None:
    """Reading makes nothing; every fault of a key file is an error with the cure."""
    with pytest.raises(ConfigError, match="rove keys create-signing lab"):
        store.load("lab")
    assert not store.folder.exists()
    mine, other = store.ensure("lab"), store.ensure("other")
    path = store.folder / "lab.signing"
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=r"644.*chmod 600"):
        store.load("lab")
    path.chmod(0o600)
    halves = json.dumps({"public": other.public.hex(), "secret": mine.secret.hex()})
    for text in ("", "{", "[]", "{}", '{"public": 1, "secret": 2}', '{"public":"", "secret":""}',
                 halves):  # fmt: skip
        path.write_text(text)
        with pytest.raises(ConfigError, match="create-signing lab"):
            store.load("lab")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 65])
def test_a_name_stays_in_the_folder(store: SigningStore, name: str) -> None:
    """No name leads out of the key folder."""
    for use in (store.ensure, store.load, lambda n: store.trust(n, bytes(32))):
        with pytest.raises(ConfigError, match="name"):
            use(name)


def test_trust_is_what_its_folder_holds(store: SigningStore) -> None:
    """Nobody is trusted at first; trust adds, replaces by name; a malformed file is an error."""
    assert store.trusted() == {}
    a, b = store.ensure("a"), store.ensure("b")
    store.trust("lab", a.public)
    assert store.trusted() == {a.key_id: a.public}
    store.trust("lab", b.public)
    assert store.trusted() == {b.key_id: b.public}
    (store.folder / "trusted" / "bad.verify").write_text("x")
    with pytest.raises(ConfigError, match=r"bad\.verify.*create-signing"):
        store.trusted()
    with pytest.raises(ConfigError, match="32 bytes"):
        store.trust("short", b"x")


# Signatures


def test_what_was_signed_is_accepted(policy: Path, key: SigningKey) -> None:
    """The file, its detached signature and the key fit, read from disk or handed over."""
    trusted = {key.key_id: key.public}
    verify(policy, None, trusted)
    verify(policy, signed(key, DATA), trusted)
    assert signature_path(policy).name == "p.onnx.sig"
    assert read_signature(policy) == signed(key, DATA)


def test_each_wrong_policy_is_refused_with_its_own_reason(
    policy: Path, key: SigningKey, store: SigningStore
) -> None:
    """Unsigned, unknown key, wrong signature, other bytes, no file: each error says which."""
    trusted, other = {key.key_id: key.public}, store.ensure("other")
    good = signed(key, DATA)
    with pytest.raises(PolicyError, match=rf"signed by key {key.key_id}, trusted here: none.*keys"):
        verify(policy, good, {})
    with pytest.raises(PolicyError, match=rf"key {other.key_id}, trusted here: {key.key_id}"):
        verify(policy, signed(other, DATA), trusted)
    forged = msgspec.structs.replace(signed(other, DATA), key_id=key.key_id)
    with pytest.raises(PolicyError, match="wrong signature"):
        verify(policy, forged, trusted)
    policy.write_bytes(DATA + b"!")
    with pytest.raises(DigestMismatchError, match=sha256(DATA)[:12]) as caught:
        verify(policy, good, trusted)
    assert sha256(DATA + b"!")[:12] in str(caught.value)
    signature_path(policy).unlink()
    with pytest.raises(PolicyError, match=r"unsigned.*p\.onnx\.sig"):
        verify(policy, None, trusted)
    policy.unlink()
    with pytest.raises(PolicyError, match="cannot be read"):
        verify(policy, good, trusted)


@pytest.mark.parametrize(
    ("field", "value"),
    [("digest", "0" * 64), ("robot", "g2"), ("robot_digest", "cd"), ("created_ns", 2),
     ("signature", bytes(64))],
)  # fmt: skip
def test_every_field_is_covered(key: SigningKey, field: str, value: Any) -> None:
    """A record that differs in any field from the signed one is refused."""
    trusted = {key.key_id: key.public}
    altered = msgspec.structs.replace(signed(key, DATA), **{field: value})
    with pytest.raises(PolicyError, match="wrong signature"):
        check_signature(altered, trusted, "p")


def test_the_key_id_is_covered(key: SigningKey) -> None:
    """A signature stays bound to the name of its key even if two names lead to one key."""
    alias = "0" * 32
    altered = msgspec.structs.replace(signed(key, DATA), key_id=alias)
    with pytest.raises(PolicyError, match="wrong signature"):
        check_signature(altered, {alias: key.public}, "p")


@settings(max_examples=200, deadline=None)
@given(
    a=st.tuples(st.text(max_size=8), st.text(max_size=8), st.integers(0, 2**63 - 1)),
    b=st.tuples(st.text(max_size=8), st.text(max_size=8), st.integers(0, 2**63 - 1)),
    cut=st.integers(0, 8),
)
def test_different_records_are_different_bytes(
    a: tuple[str, str, int], b: tuple[str, str, int], cut: int
) -> None:
    """The encoding is one to one, also when text moves from one field to the next."""

    def record(robot: str, robot_digest: str, created_ns: int) -> Signature:
        return Signature(
            format_version=1, digest="0" * 64, robot=robot, robot_digest=robot_digest,
            key_id="1" * 32, created_ns=created_ns, signature=bytes(64),
        )  # fmt: skip

    joined = a[0] + a[1]
    moved = (joined[:cut], joined[cut:], a[2])
    for other in (b, moved):
        same = record(*a).signed_bytes == record(*other).signed_bytes
        assert same == (a == other)


def test_other_text_signed_by_the_key_is_no_signature(key: SigningKey) -> None:
    """Domain separation: a signature over the fields without our prefix is worth nothing."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    good = signed(key, DATA)
    prefix = b"rove policy signature\x00"
    assert good.signed_bytes.startswith(prefix)
    bare = Ed25519PrivateKey.from_private_bytes(key.secret).sign(good.signed_bytes[len(prefix) :])
    with pytest.raises(PolicyError, match="wrong signature"):
        check_signature(
            msgspec.structs.replace(good, signature=bare), {key.key_id: key.public}, "p"
        )


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_signature_file_is_refused(
    data: st.DataObject, policy: Path, key: SigningKey
) -> None:
    """Whatever is on disk, the answer is the signature that was written or a PolicyError, also when
    one byte was replaced or the end is missing."""
    path = signature_path(policy)
    good, text = read_signature(policy), path.read_bytes()
    damaged = bytearray(text)
    position = data.draw(st.integers(0, len(text) - 1))
    damaged[position] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(text)))
    path.write_bytes(bytes(damaged[:cut]))
    try:
        verify(policy, None, {key.key_id: key.public})
    except PolicyError:
        assert bytes(damaged[:cut]) != text
    else:  # white space was lost, or a base64 digit has bits that do not count
        assert read_signature(policy) == good
    finally:
        path.write_bytes(text)


@pytest.mark.parametrize("version", [0, 2, 99])
def test_another_format_version_is_named(policy: Path, version: int) -> None:
    """A newer record, with fields that we do not know, is told apart from damage."""
    path = signature_path(policy)
    record = {**json.loads(path.read_text()), "format_version": version, "extra": [1]}
    path.write_text(json.dumps(record))
    with pytest.raises(PolicyError, match=rf"format_version {version} given, 1 allowed"):
        read_signature(policy)


@pytest.mark.parametrize(
    "change",
    [{"extra": 1}, {"digest": "0"}, {"digest": "0" * 64 + "\n"}, {"digest": "../" + "0" * 61},
     {"key_id": ""}, {"created_ns": -1}, {"created_ns": 2**63}, {"created_ns": "1"},
     {"signature": "AA=="}, {"robot": "x" * 129}],
)  # fmt: skip
def test_a_record_out_of_range_is_malformed(policy: Path, change: dict[str, Any]) -> None:
    """Fields are checked when the record is read: a digest names a file later."""
    record = {**json.loads(signature_path(policy).read_text()), **change}
    with pytest.raises(PolicyError, match="where: not a policy signature"):
        decode_signature(json.dumps(record).encode(), "where")


def test_a_huge_file_is_not_read(policy: Path) -> None:
    """A signature file of megabytes is refused by its size."""
    signature_path(policy).write_bytes(b" " * 10_000)
    with pytest.raises(PolicyError, match="4096"):
        read_signature(policy)


def test_sign_makes_only_what_readers_accept(key: SigningKey) -> None:
    """A wrong digest or time fails where it is signed, not on the robot."""
    for digest, created_ns in (("xyz", 1), ("0" * 64, -1)):
        with pytest.raises(PolicyError):
            sign(key, digest, "g1", "", created_ns)


def test_signature_and_manifest_must_name_one_robot(key: SigningKey) -> None:
    """The signature's robot is the manifest's robot; both are named when they differ."""
    signature = signed(key, DATA)
    fits: Any = SimpleNamespace(robot="g1", robot_digest=signature.robot_digest)
    require_manifest(signature, fits, "p")
    for change in ({"robot": "g2"}, {"robot_digest": "zz"}):
        wrong: Any = SimpleNamespace(**{**vars(fits), **change})
        with pytest.raises(PolicyError, match=r"signed for.*manifest says"):
            require_manifest(signature, wrong, "p")
