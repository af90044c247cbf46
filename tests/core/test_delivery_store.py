"""The policy store: complete or absent, whatever kills the process."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from delivery_examples import policy_bytes, sha256, signed

from rove_core.delivery.files import write_atomic
from rove_core.delivery.store import PARTS, Current, PolicyStore
from rove_core.errors import ConfigError, PolicyError
from rove_core.signing import SigningKey, SigningStore, signature_path

SIZE = 5000
CALLS = 125  # more than storing four policies takes
LINES = 85  # more than the final steps of one take


@pytest.fixture
def store(tmp_path: Path) -> PolicyStore:
    return PolicyStore(tmp_path / "policies")


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningStore(tmp_path / "keys").ensure("lab")


def put(store: PolicyStore, key: SigningKey, seed: int) -> str:
    """Store a policy as an upload does and return its digest."""
    data = policy_bytes(seed, SIZE)
    part = store.begin(sha256(data), SIZE)
    for offset in range(part.offset, SIZE, 1000):
        part.append(offset, data[offset : offset + 1000])
    part.close()
    store.commit(signed(key, data, created_ns=seed + 1))
    return sha256(data)


def test_a_stored_policy_is_verified_when_it_is_opened(store: PolicyStore, key: SigningKey) -> None:
    """open returns the very bytes, and refuses them when they, the signature or the trust
    changed after they were stored."""
    trusted = {key.key_id: key.public}
    digest = put(store, key, 1)
    opened = store.open(digest, trusted)
    assert opened.path.read_bytes() == policy_bytes(1, SIZE)
    assert opened.signature.digest == digest == opened.path.stem
    with pytest.raises(PolicyError, match="trusted here: none"):
        store.open(digest, {})
    other = put(store, key, 2)
    sig = signature_path(opened.path)
    good = sig.read_bytes()
    sig.write_bytes(signature_path(store.path(other)).read_bytes())
    with pytest.raises(PolicyError, match="digest mismatch"):
        store.open(digest, trusted)
    # Policy and signature of another one under this name: each fits the other, neither the name.
    opened.path.write_bytes(store.path(other).read_bytes())
    with pytest.raises(PolicyError, match="wanted"):
        store.open(digest, trusted)
    sig.write_bytes(good)
    with pytest.raises(PolicyError, match="digest mismatch"):
        store.open(digest, trusted)
    with pytest.raises(PolicyError, match="no policy 000000000000; stored: "):
        store.open("0" * 64, trusted)


def test_an_upload_goes_on_where_it_was(store: PolicyStore) -> None:
    """What was appended is there for the next opener; only the next bytes are taken."""
    data = policy_bytes(1, 100)
    digest = sha256(data)
    part = store.begin(digest, 100)
    assert part.offset == 0
    part.append(0, data[:60])
    part.close()
    part = store.begin(digest, 100)
    assert part.offset == 60
    for offset, piece in ((0, data[:60]), (59, b"x"), (61, b"x"), (60, b""), (60, bytes(41))):
        with pytest.raises(PolicyError, match="given"):
            part.append(offset, piece)
    assert part.offset == 60
    part.append(60, data[60:])
    assert part.path.read_bytes() == data
    part.close()
    part = store.begin(digest, 99)  # longer than what is offered now: not a beginning of it
    assert part.offset == 0
    part.close()
    assert store.digests() == ()
    store.abandon(digest)
    assert list(store.folder.iterdir()) == []


def test_unfinished_uploads_are_limited(store: PolicyStore) -> None:
    """However many uploads begin, a few partial files stay, the newest ones."""
    for number in range(3 * PARTS):
        part = store.begin(f"{number:064x}", 10)
        os.utime(part.path, ns=(number, number))
        part.close()
    names = sorted(p.name for p in store.folder.glob("*.part"))
    assert names == [f"{number:064x}.part" for number in range(2 * PARTS, 3 * PARTS)]


def test_current_remembers_the_one_before(store: PolicyStore, key: SigningKey) -> None:
    """The pointer moves only to complete policies, and a second move to the same one is none."""
    assert store.current() == Current("", "")
    a, b = put(store, key, 1), put(store, key, 2)
    store.make_current(a)
    assert store.current() == Current(a, "")
    for _ in range(2):
        store.make_current(b)
        assert PolicyStore(store.folder).current() == Current(b, a)
    with pytest.raises(PolicyError, match="no policy"):
        store.make_current("0" * 64)
    assert store.current() == Current(b, a)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"digest": "../x"}', '{"digest": 3}'])
def test_a_damaged_pointer_is_named_and_can_be_replaced(
    store: PolicyStore, key: SigningKey, text: str
) -> None:
    """It is never taken for "no policy"; the error says what to do, and doing it works."""
    digest = put(store, key, 1)
    (store.folder / "current.json").write_text(text)
    with pytest.raises(PolicyError, match=r"current\.json.*delete"):
        store.current()
    with pytest.raises(PolicyError, match=r"current\.json"):
        store.keep(1)
    store.make_current(digest)
    assert store.current() == Current(digest, "")


def test_keep_leaves_the_newest_and_what_runs(store: PolicyStore, key: SigningKey) -> None:
    """The newest N stay, the current and the previous one always; leftovers go."""
    digests = [put(store, key, seed) for seed in range(6)]
    assert store.digests() == tuple(reversed(digests))
    store.make_current(digests[0])
    store.make_current(digests[1])
    signature_path(store.path("0" * 64)).write_bytes(b"orphan")
    (store.folder / ".x.onnx.sig.00.draft").write_bytes(b"left")
    assert set(store.keep(2)) == {digests[2], digests[3]}
    assert set(store.digests()) == {digests[0], digests[1], digests[4], digests[5]}
    names = {p.name for p in store.folder.iterdir()}
    assert names == {
        "current.json", *(f"{d}.onnx{s}" for d in store.digests() for s in ("", ".sig"))
    }  # fmt: skip
    with pytest.raises(PolicyError, match="at least 1"):
        store.keep(0)


@pytest.mark.parametrize("digest", ["", "x" * 64, "0" * 63, "../" + "0" * 61, "0" * 64 + "\n"])
def test_a_digest_stays_in_the_folder(store: PolicyStore, digest: str) -> None:
    """No digest leads out of the store."""
    for use in (store.path, store.abandon, store.discard, store.make_current):
        with pytest.raises(PolicyError, match="64 hex digits"):
            use(digest)
    with pytest.raises(PolicyError, match="64 hex digits"):
        store.begin(digest, 1)


def test_a_store_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A path through a file is a configuration error, not a traceback later."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="policy store"):
        PolicyStore(tmp_path / "file" / "store")


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk is full the old content stays and no draft is left."""
    path = tmp_path / "f"
    write_atomic(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


# A child stores policies, one generation after the other, and forks for each way to die: the
# fork kills itself with SIGKILL at its n-th call into the file system or at its n-th line of Python
# while it gives a policy its name, or is killed by its parent after a random time.
CHILD = """
import json, os, random, signal, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from delivery_examples import policy_bytes, sha256, signed
from rove_core.delivery.store import PolicyStore
from rove_core.signing import SigningStore

folder, keys, plan = Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4])
key = SigningStore(keys).ensure("lab")
os.fsync = os.fdatasync = lambda handle: None  # SIGKILL does not reach what is in the cache
CALLS = ("open", "pwrite", "fdatasync", "fsync", "replace", "ftruncate", "close", "unlink")

def work(store, seeds):
    for seed in seeds:
        data = policy_bytes(seed, 5000)
        part = store.begin(sha256(data), len(data))
        for offset in range(part.offset, len(data), 1000):
            part.append(offset, data[offset:offset + 1000][:len(data) - offset])
        part.close()
        store.commit(signed(key, data, created_ns=seed + 1))
        store.make_current(sha256(data))
        store.keep(2)

def die_at(call):
    left = [call]
    def wrap(real):
        def called(*arguments, **named):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)
        return called
    for name in CALLS:
        setattr(os, name, wrap(getattr(os, name)))

def die_at_line(line):
    left = [line]
    def trace(frame, event, _):
        # pathlib, too: a file written through it is truncated one line before it is written.
        code = frame.f_code
        if "rove_core" not in code.co_filename and not code.co_name.startswith("write_"):
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)

for number, step in enumerate(plan):
    store = PolicyStore(folder / str(number))
    child = os.fork()
    if child == 0:
        try:
            if "call" in step:
                die_at(step["call"])
                work(store, range(4))
            elif "line" in step:
                work(store, [0])
                data = policy_bytes(1, 5000)
                part = store.begin(sha256(data), len(data))
                part.append(0, data)
                part.close()
                signature = signed(key, data, created_ns=2)
                die_at_line(step["line"])
                store.commit(signature)
                store.make_current(sha256(data))
                sys.settrace(None)
            else:
                work(store, range(10_000))
        finally:
            os._exit(0)
    if "after_s" in step:
        time.sleep(step["after_s"])  # the moment of death, not a synchronisation
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    print(json.dumps(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0))
"""


def test_a_killed_process_leaves_nothing_half(
    tmp_path: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL at any call into the file system, at any line of Python of the final steps, and at
    random moments: under a final name there are only whole, signed policies, the pointer points
    to one of them, and the next process can finish the upload and clean up."""
    chance = random.Random(4)
    plan: list[dict[str, float]] = [{"call": call} for call in range(1, CALLS + 1)]
    plan += [{"line": line} for line in range(1, LINES + 1)]
    plan += [{"after_s": chance.uniform(0.0, 0.06)} for _ in range(8)]
    finished = subprocess.run(
        [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(tmp_path / "s"),
         str(tmp_path / "keys"), json.dumps(plan)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    deaths = [json.loads(line) for line in finished.stdout.splitlines()]
    assert len(deaths) == len(plan)
    assert deaths.count(9) >= 80, "too few of them were killed to say anything"
    for counted in (deaths[:CALLS], deaths[CALLS : CALLS + LINES]):
        assert set(counted) == {9, 0}, "not counted to the end"
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda handle: None)
    trusted, seen = {key.key_id: key.public}, set()
    for number in range(len(plan)):
        store = PolicyStore(tmp_path / "s" / str(number))
        parts, drafts = list(store.folder.glob("*.part")), list(store.folder.glob(".*.draft"))
        digests, current = store.digests(), store.current()
        for digest in digests:
            store.open(digest, trusted)
        assert current.digest in {"", *digests}
        assert current.previous in {"", *digests}
        seen.add((len(digests), bool(parts), bool(drafts), bool(current.digest)))
        for part in parts:  # go on with it
            data = next(d for d in map(small, range(10_000)) if sha256(d) == part.stem)
            assert data.startswith(part.read_bytes())
            upload = store.begin(part.stem, SIZE)
            if upload.offset < SIZE:
                upload.append(upload.offset, data[upload.offset :])
            upload.close()
            store.commit(signed(key, data))
            store.make_current(part.stem)
        store.keep(1)
        left = {p.name for p in store.folder.iterdir()} - {"current.json"}
        assert left == {f"{d}.onnx{s}" for d in store.digests() for s in ("", ".sig")}
    assert len(seen) >= 6, f"the deaths were all alike: {seen}"


def small(seed: int) -> bytes:
    return policy_bytes(seed, SIZE)
