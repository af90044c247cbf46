"""A policy arrives over the wire: verified, swapped in between episodes, asked about, recorded."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from rove_msgs import srv

from graph_harness import RunningGraph
from rove import topics
from rove.keys_cli import BRIDGE, LEARNER
from rove.policies import policy_path
from rove_core.bag.reader import find_bags
from rove_core.bag.summary import summarise_bag
from rove_core.delivery.client import push
from rove_core.digest import file_digest
from rove_core.errors import PolicyError
from rove_core.keys import KeyStore
from rove_core.robot import load_robot
from rove_core.signing import SigningStore, sign, write_signature
from rove_core.vocabulary import EpisodeKind, Mode, Outcome

pytestmark = [pytest.mark.graph, pytest.mark.flaky(reruns=2)]
SPEC = load_robot("g1_dex3")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGraph]:
    running = RunningGraph(tmp_path_factory.mktemp("delivery"), operator="none", lab="none")
    yield running
    running.close()


def _policy(path: Path, note: str) -> Path:
    """Write a policy that does what the shipped one does under a digest of its own."""
    model = onnx.load(policy_path("shipped"))
    model.doc_string = note
    onnx.save(model, path)
    return path


def _signed(graph: RunningGraph, path: Path, store: SigningStore | None = None) -> Path:
    key = (store or SigningStore(graph.keys)).ensure(LEARNER)
    write_signature(path, sign(key, file_digest(path), SPEC.name, SPEC.digest, 1))
    return path


def _push(graph: RunningGraph, path: Path) -> str:
    keys = KeyStore(graph.keys)
    return push(graph.given.delivery, path, None, keys.load(LEARNER), keys.public(BRIDGE)).digest


def _start(graph: RunningGraph) -> srv.StartEpisode.Response:
    request = srv.StartEpisode.Request(
        kind=int(EpisodeKind.ROLLOUT), task="erase_whiteboard", instruction="erase the red stroke"
    )
    answer: srv.StartEpisode.Response = graph.probe.call(
        srv.StartEpisode, topics.START_EPISODE, request
    )
    return answer


def _ready(graph: RunningGraph) -> str:
    """Wait until the graph is idle with a policy; return its digest."""
    probe = graph.probe
    while probe.wait("a mode", lambda: probe.state).mode == Mode.HOLD:
        graph.leave_hold()
    return str(probe.wait("a policy", lambda: probe.policy and probe.policy.digest))


def _bags(graph: RunningGraph) -> set[Path]:
    return set(find_bags(graph.bags)) if graph.bags.is_dir() else set()


def test_what_is_not_signed_by_a_trusted_key_never_runs(
    graph: RunningGraph, tmp_path: Path
) -> None:
    """Unsigned, signed by a stranger, or altered after signing: refused, the old policy runs."""
    before = _ready(graph)
    unsigned = _policy(tmp_path / "unsigned.onnx", "unsigned")
    with pytest.raises(PolicyError, match=r"\.sig"):
        _push(graph, unsigned)
    stranger = _signed(graph, unsigned, SigningStore(tmp_path / "stranger"))
    with pytest.raises(PolicyError, match="key"):
        _push(graph, stranger)
    altered = _signed(graph, _policy(tmp_path / "altered.onnx", "one"))
    _policy(altered, "two")
    with pytest.raises(PolicyError, match="sign"):
        _push(graph, altered)
    assert graph.probe.policy is not None
    assert graph.probe.policy.digest == before


def test_a_policy_that_does_not_fit_is_refused(graph: RunningGraph, tmp_path: Path) -> None:
    """Well signed rubbish fails its trial on the robot; the old policy runs."""
    before = _ready(graph)
    rubbish = tmp_path / "rubbish.onnx"
    rubbish.write_bytes(b"not a policy at all")
    with pytest.raises(PolicyError, match="ONNX"):
        _push(graph, _signed(graph, rubbish))
    assert graph.probe.policy is not None
    assert graph.probe.policy.digest == before


def test_a_new_policy_is_asked_about_before_it_drives(graph: RunningGraph, tmp_path: Path) -> None:
    """Swapped in at once, refused until a person agrees, then its digest is in the bag; it is
    remembered when the node dies."""
    probe, old = graph.probe, _ready(graph)
    earlier = _bags(graph)
    digest = _push(graph, _signed(graph, _policy(tmp_path / "new.onnx", str(tmp_path))))
    assert digest != old
    graph.wait("the new policy", lambda: probe.policy.digest == digest)
    assert not probe.policy.approved
    question = graph.wait("the question", lambda: probe.state.question)
    assert digest[:12] in question
    refused: list[str] = []

    def asked() -> bool:
        answer = _start(graph)
        assert not answer.success
        refused.append(answer.message)
        return bool(answer.message == question)

    while not asked():  # refused for another reason: it held just then
        assert "IDLE" in refused[-1], refused
        assert len(refused) < 100, refused
        graph.leave_hold()
    for wrong in (old, ""):
        request = srv.ApprovePolicy.Request(digest=wrong, person="test")
        assert not probe.call(srv.ApprovePolicy, topics.APPROVE_POLICY, request).success
    request = srv.ApprovePolicy.Request(digest=digest, person="test")
    assert probe.call(srv.ApprovePolicy, topics.APPROVE_POLICY, request).success
    graph.wait("no question", lambda: not probe.state.question)
    graph.start_episode()
    graph.wait(
        "chunks of the new policy", lambda: probe.chunk and probe.chunk.policy_digest == digest
    )
    graph.wait(
        "it drives", lambda: probe.command.policy_digest == digest and probe.command.authority
    )
    stop = srv.StopEpisode.Request(outcome=int(Outcome.ABORTED), reason="test")
    assert probe.call(srv.StopEpisode, topics.STOP_EPISODE, stop).success
    (bag,) = probe.wait("its bag", lambda: _bags(graph) - earlier)
    assert summarise_bag(bag).policy == digest
    graph.signal("policy", signal.SIGKILL)
    probe.policy = None
    probe.wait("the policy again", lambda: probe.policy and probe.policy.digest == digest)
    assert probe.policy.approved
