"""The lease: proof of life first, one holder, numbers that only grow, silence ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from arbiter_world import DT, FIRST, ROLLOUT, World
from hypothesis import given, settings
from hypothesis import strategies as st

from rove_core.errors import ConfigError
from rove_core.vocabulary import Button, Mode
from rove_teleop.arbiter import lease as leases
from rove_teleop.arbiter.inputs import ForceLease
from rove_teleop.arbiter.lease import Lease
from rove_teleop.arbiter.timeouts import Timeouts

LIMITS = Timeouts()


def stream(rate: float, seconds: float, name: str = "eve") -> Lease:
    """Return the lease after a steady stream of frames."""
    lease, now = Lease(), 10.0
    for k in range(int(rate * seconds) + 1):
        now = 10.0 + k / rate
        lease, _, _ = leases.observe(lease, name, k + 1, now, LIMITS)
        lease = leases.settle(lease, now, LIMITS)
    return lease


@settings(max_examples=60, deadline=None)
@given(rate=st.floats(31.0, 200.0))
def test_a_steady_stream_gets_the_lease(rate: float) -> None:
    """30 Hz or more for half a second and a little: granted; for less: not yet."""
    assert stream(rate, LIMITS.proof_of_life + 0.06).holder == "eve"
    assert stream(rate, LIMITS.proof_of_life - 0.06).holder == ""


@settings(max_examples=40, deadline=None)
@given(rate=st.floats(1.0, 29.0))
def test_a_slow_stream_never_gets_it(rate: float) -> None:
    """Below 30 Hz there is no proof of life, however long it lasts."""
    assert stream(rate, 5.0).holder == ""


def test_a_gap_starts_the_proof_again() -> None:
    """0.4 s of frames, a gap, 0.4 s of frames: not the half second in one piece."""
    world = World().idle()
    eve = world.operator()
    world.tick(n=80)
    eve.sending = False
    world.tick(n=25)
    eve.sending = True
    world.tick(n=80)
    assert world.told.lease == 0
    world.tick(n=25)
    assert world.told.lease == FIRST


def test_the_second_operator_waits_and_follows() -> None:
    """One holder; the one who waits gets a new number when the first falls silent for 2 s."""
    world = World().leased()
    world.operator("bob")
    world.tick(n=200)
    assert world.told.lease_holder == "eve"
    world.operators["eve"].sending = False
    world.tick(n=int(LIMITS.lease_grace / DT) - 5)
    assert world.told.lease_holder == "eve"
    world.tick(n=8)
    assert (world.told.lease_holder, world.told.lease) == ("bob", FIRST + 1)


def test_a_short_silence_keeps_the_lease() -> None:
    """Within the grace the holder comes back under the same number, and presses count again."""
    world = World().to(Mode.AUTONOMOUS)
    eve = world.operators["eve"]
    eve.sending = False
    world.tick(n=200)
    eve.sending = True
    world.tick(n=2)
    assert world.told.lease == FIRST
    world.press(Button.TAKEOVER)
    assert world.mode is Mode.ALIGN


def test_force_gives_it_to_another() -> None:
    """The other one's number is newer; the old holder's frames are dropped and counted."""
    world = World().leased()
    world.operator("bob")
    world.tick(n=120)
    eve = world.operators["eve"]
    answer = world.ask(ForceLease("bob", "Ada"))
    assert (answer.success, answer.lease) == (True, FIRST + 1)
    assert world.told.lease_holder == "bob"
    old = replace(world.frame(eve), lease=FIRST, buttons=Button.PAUSE, sequence=eve.sequence + 1)
    before = world.told.rejected.get("frame: of another lease", 0)
    told = world.send(frames=(old,))
    assert told.rejected["frame: of another lease"] == before + 1


def test_force_to_nobody_is_not_undone_by_the_next_frame() -> None:
    """Who lost it by force waits until its stream has ended; another may have it at once."""
    world = World().leased()
    world.ask(ForceLease(""))
    world.tick(n=400)
    assert world.told.lease == 0
    world.operators["eve"].sending = False
    world.tick(n=450)
    world.operators["eve"].sending = True
    world.tick(n=130)
    assert (world.told.lease_holder, world.told.lease) == ("eve", FIRST + 1)


def test_force_needs_a_living_operator() -> None:
    """A name that sends nothing is refused, with the names that would do."""
    world = World().leased()
    answer = world.ask(ForceLease("ghost"))
    assert not answer.success
    assert "'ghost'" in answer.message
    assert "'eve'" in answer.message
    assert world.told.lease_holder == "eve"


def test_force_to_the_holder_changes_nothing() -> None:
    """Giving it to who has it keeps the number: a driving hand is not interrupted."""
    world = World().to(Mode.HUMAN)
    assert world.ask(ForceLease("eve")).lease == FIRST
    assert world.mode is Mode.HUMAN


def test_frames_before_the_grant_press_nothing() -> None:
    """A button held down while the lease is granted is no press."""
    world = World().idle()
    world.policy_alive = True

    world.tick(ROLLOUT)
    world.operator().buttons = Button.TAKEOVER
    world.tick(n=150)
    assert world.told.lease == FIRST
    assert world.mode is Mode.AUTONOMOUS
    world.operators["eve"].buttons = Button.NONE
    world.tick(n=2)
    world.press(Button.TAKEOVER)
    assert world.mode is Mode.ALIGN


def test_a_new_connection_of_the_holder_stops_the_drive() -> None:
    """The page was reloaded: its frames count from 1 again, its hand is elsewhere."""
    world = World().to(Mode.HUMAN)
    world.operators["eve"].sequence = 0
    world.tick()
    assert world.mode is Mode.HOLD
    assert "connected anew" in world.told.reason
    assert world.told.lease == FIRST


@pytest.mark.parametrize("behind", [1, 5, 16])
def test_a_frame_that_was_overtaken_is_no_new_connection(behind: int) -> None:
    """Bug: a network that changed the order of two frames, or doubled one late, ended the drive:
    its lower sequence looked like a device that had connected anew."""
    world = World().to(Mode.HUMAN)
    eve = world.operators["eve"]
    newest = eve.sequence
    eve.sequence = newest - behind - 1
    world.tick()
    assert world.mode is Mode.HUMAN
    assert world.told.rejected["frame: duplicate or overtaken"] == 1
    eve.sequence = newest
    world.tick(n=40)
    assert world.mode is Mode.HUMAN
    assert world.told.rejected["frame: duplicate or overtaken"] == 1


def test_a_device_that_connects_anew_at_once_does_not_wait_for_its_old_count() -> None:
    """A page that was reloaded after ten frames: its stream stands still, and then counts."""
    lease, now = Lease(), 10.0
    for k in range(10):
        now += 0.01
        lease, _, _ = leases.observe(lease, "eve", k + 1, now, LIMITS)
    counted = []
    for k in range(30):
        now += 0.01
        lease, refused, anew = leases.observe(lease, "eve", k + 1, now, LIMITS)
        counted.append((refused, anew))
    assert not counted[-1][0]
    assert sum(refused for refused, _ in counted) <= 11


def test_duplicates_prove_nothing() -> None:
    """The same frame again and again is counted as refused and earns no lease."""
    world = World().idle()
    eve = world.operator()
    eve.sequence = 5
    frame = replace(world.frame(eve), sequence=5)
    for _ in range(150):
        world.send(frames=(replace(frame, stamp_ns=world.ros_ns),))
    assert world.told.lease == 0
    assert world.told.rejected["frame: duplicate or overtaken"] == 149


@settings(max_examples=40, deadline=None)
@given(
    events=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans(), st.integers(1, 40)), max_size=30
    )
)
def test_numbers_only_grow(events: list[tuple[str, bool, int]]) -> None:
    """Whatever streams come, go and are forced, a number never comes back to another holder."""
    lease, now, sequence, given_to = Lease(), 0.0, 0, {}
    for name, forced, frames in events:
        if forced:
            lease, _ = leases.force(lease, name, now)
        for _ in range(frames):
            now, sequence = now + 0.02, sequence + 1
            lease, _, _ = leases.observe(lease, name, sequence, now, LIMITS)
            lease = leases.settle(lease, now, LIMITS)
            assert (lease.number == 0) == (lease.holder == "")
            if lease.number:
                assert given_to.setdefault(lease.number, lease.holder) == lease.holder
                assert lease.number <= lease.issued
    assert list(given_to) == sorted(given_to)


def test_a_flood_of_names_does_not_grow_the_state() -> None:
    """Streams that are watched at once are bounded."""
    lease = Lease()
    for k in range(1000):
        lease, _, _ = leases.observe(lease, f"bot{k}", 1, 0.0, LIMITS)
    assert len(lease.streams) == leases.MOST_STREAMS


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_timeouts_are_refused(value: float) -> None:
    """Every timeout is finite and positive, or loading fails and names it."""
    with pytest.raises(ConfigError, match="timeout chunk"):
        Timeouts(chunk=value)
    with pytest.raises(ConfigError, match="lease_grace"):
        Timeouts(lease_grace=0.05)
