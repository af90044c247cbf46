"""Laws of the records of a bag: they come back as they were, and what is malformed is named."""

from __future__ import annotations

import pytest
from bag_examples import small_info, small_spec
from hypothesis import given
from hypothesis import strategies as st

from rove_core.bag.schema import BAG_SCHEMA_VERSION, EpisodeInfo, EpisodeOutcome, RecordingEnd
from rove_core.errors import BagError, ContractError
from rove_core.robot.load import load_robot
from rove_core.vocabulary import EpisodeKind, Outcome

names = st.text(min_size=1, max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
infos = st.builds(
    EpisodeInfo,
    robot=names,
    robot_profile=st.text(max_size=50),
    robot_digest=names,
    joint_names=st.lists(names, min_size=1, max_size=4).map(tuple),
    episode_id=names,
    namespace=st.sampled_from(["", "/toy", "/lab/toy"]),
    kind=st.sampled_from(EpisodeKind),
    task=st.text(max_size=20),
    instruction=st.text(max_size=20),
    seed=st.integers(-1, 2**63 - 1),
    parameters=st.dictionaries(st.text(max_size=9), json_values, max_size=4),
    revision=st.text(max_size=20),
)


@given(infos)
def test_an_episode_description_comes_back(info):
    """from_record(to_record(x)) == x, for any text, seed and parameters."""
    assert EpisodeInfo.from_record(info.to_record(), "bag") == info


@given(st.sampled_from(Outcome), st.text(max_size=30), st.sampled_from(RecordingEnd))
def test_an_outcome_comes_back(outcome, reason, recording):
    """from_record(to_record(x)) == x."""
    ended = EpisodeOutcome(outcome, reason, recording)
    assert EpisodeOutcome.from_record(ended.to_record(), "bag") == ended


def test_a_description_holds_the_robot(tmp_path):
    """The profile's text, digest, joints and namespace come from the robot by themselves."""
    spec = load_robot("g1_dex3")
    info = EpisodeInfo.of(spec, "one")
    assert "urdf" in info.robot_profile
    assert info.robot_digest == spec.digest
    assert info.joint_names == spec.joint_names
    assert info.namespace == "/g1_dex3"


def test_parameters_are_copied():
    """Changing the dictionary later does not change the description."""
    parameters = {"rate": [1]}
    info = small_info(small_spec(), parameters=parameters)
    parameters["rate"].append(2)
    assert info.parameters == {"rate": [1]}


@pytest.mark.parametrize(
    "fields",
    [{"namespace": "toy"}, {"namespace": "/"}, {"namespace": "/t/"}, {"parameters": {"a": {1}}}],
)
def test_a_bad_description_is_refused(fields):
    """A namespace that is none and parameters that JSON cannot hold fail when they are set."""
    with pytest.raises(ContractError, match="episode info"):
        small_info(small_spec(), **fields)
    with pytest.raises(ContractError, match="episode_id must not be empty"):
        small_info(small_spec(), "")


@pytest.mark.parametrize("version", ["0", str(BAG_SCHEMA_VERSION + 1), "", "one", "-1", "1.0"])
def test_other_versions_are_refused(version):
    """Only versions up to this one are read; the error names given, allowed and where."""
    record = small_info(small_spec()).to_record() | {"bag_schema_version": version}
    with pytest.raises(BagError) as caught:
        EpisodeInfo.from_record(record, "bags/x")
    assert f"{version!r} given" in str(caught.value)
    assert f"1..{BAG_SCHEMA_VERSION} allowed" in str(caught.value)
    assert "bags/x" in str(caught.value)


@pytest.mark.parametrize("key", ["robot", "joint_names", "kind", "seed", "parameters"])
def test_a_malformed_record_is_named(key):
    """A key that is missing or unreadable is a BagError that names the record and the bag."""
    record = small_info(small_spec()).to_record()
    missing = {k: v for k, v in record.items() if k != key}
    with pytest.raises(BagError, match=f"'rove' of bags/x is malformed.*{key}"):
        EpisodeInfo.from_record(missing, "bags/x")
    if key != "robot":
        with pytest.raises(BagError, match="'rove' of bags/x is malformed"):
            EpisodeInfo.from_record(record | {key: "{"}, "bags/x")
    with pytest.raises(BagError, match=r"'rove.outcome' of bags/x is malformed"):
        EpisodeOutcome.from_record({"outcome": "perfect", "reason": ""}, "bags/x")
