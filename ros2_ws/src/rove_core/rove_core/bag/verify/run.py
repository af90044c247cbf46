"""``verify``: one walk through a bag, every check at once."""

from __future__ import annotations

import functools
import struct
from pathlib import Path
from typing import Any

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.base import TypesysError
from rosbags.typesys.store import Typestore

from rove_core.bag.reader import Bag, deserialize
from rove_core.bag.schema import EPISODE_RECORD, RECORDING_RECORD, RecordingReport
from rove_core.bag.verify.check import Check, Seen, Subject
from rove_core.bag.verify.clocks import ClockCheck
from rove_core.bag.verify.container import (
    Container,
    check_folder,
    messages,
    read_container,
)
from rove_core.bag.verify.digests import DigestCheck
from rove_core.bag.verify.episode import EpisodeCheck
from rove_core.bag.verify.gaps import GapCheck
from rove_core.bag.verify.grammar import ModeCheck
from rove_core.bag.verify.profile import ProfileCheck, robot_of
from rove_core.bag.verify.rates import RateCheck
from rove_core.bag.verify.report import NOWHERE_NS, Findings, Level, Report
from rove_core.bag.verify.schemas import SchemaCheck, check_schemas
from rove_core.bag.verify.vectors import VectorCheck
from rove_core.errors import BagError

CHECKS: tuple[type[Check], ...] = (
    ClockCheck,
    ModeCheck,
    DigestCheck,
    ProfileCheck,
    EpisodeCheck,
    VectorCheck,
)
"""Besides "file", "schemas", "rates" and "gaps", which need more than the messages."""
_STAMP = struct.Struct("<iI"), struct.Struct(">iI")


def verify(path: Path | str) -> Report:
    """Check a bag: file, schemas, rates, gaps, clocks, modes, digests, profile, episode, vectors.

    Damage is a finding, not an exception: what is intact is checked.

    Raises:
        BagError: not a bag of ROVE, of a newer version, or nothing of it can be read.
    """
    findings = Findings()
    bag = _open(path)
    held = read_container(bag, findings)
    check_folder(held, findings)
    record = bag.metadata[EPISODE_RECORD]
    spec, _ = robot_of(bag.info.robot, bag.info.robot_profile)
    subject = Subject(
        version=int(record["bag_schema_version"]),
        info=bag.info,
        outcome=bag.outcome,
        report=_report(held, findings),
        topics=bag.topics,
        spec=spec,
    )
    schemas = SchemaCheck(subject, findings)
    store = _store(held, schemas)
    gaps, rates = GapCheck(subject, findings), RateCheck(subject, findings)
    checks = [gaps, rates, *(kind(subject, findings) for kind in CHECKS)]
    foreign = check_schemas(held, store, schemas)
    _walk(held, store, schemas, checks, findings, foreign)
    gaps.finish()
    rates.lost = dict(gaps.lost)
    for check in checks[1:]:
        check.finish()
    return Report(
        path=bag.path,
        version=subject.version,
        state=bag.outcome.recording.state,
        findings=findings.result(),
        topics=rates.rates,
        not_checked=findings.not_checked,
    )


def _open(path: Path | str) -> Bag:
    try:
        return Bag(path)
    except BagError:
        return Bag(path, partial=True)  # reads every chunk, so it comes second


def _report(held: Container, findings: Findings) -> RecordingReport | None:
    if RECORDING_RECORD not in held.metadata:
        return None
    try:
        return RecordingReport.from_record(held.metadata[RECORDING_RECORD], str(held.file))
    except BagError as error:
        findings.add(Level.ERROR, "file", str(error))
        return None


def _store(held: Container, check: SchemaCheck) -> Typestore | None:
    """Return the types of the file's own schemas, None when they cannot be read."""
    try:
        texts = tuple((s.name, s.data.decode()) for s in held.schemas.values())
        return _types(texts)
    except (TypesysError, UnicodeDecodeError, ValueError, KeyError) as error:
        check.error(f"the definitions cannot be read: {error!r}")
        return None


@functools.lru_cache(maxsize=16)
def _types(texts: tuple[tuple[str, str], ...]) -> Typestore:
    store = get_typestore(Stores.EMPTY)
    types: dict[str, Any] = {}
    for name, text in texts:
        types.update(get_types_from_msg(text, name))
    store.register(types)
    return store


def _walk(
    held: Container,
    store: Typestore | None,
    schemas: SchemaCheck,
    checks: list[Check],
    findings: Findings,
    foreign: frozenset[str],
) -> None:
    names = {n: schemas.subject.info.relative(c.topic) for n, c in held.channels.items()}
    types = {
        n: held.schemas[c.schema_id].name
        for n, c in held.channels.items()
        if c.schema_id in held.schemas
    }
    wanting = {
        name: [
            check
            for check in checks
            if (check.topics is None or name in check.topics)
            and (check.any_type or name not in foreign)
        ]
        for name in names.values()
    }
    headed = _headed(store)
    for message in messages(held, findings):
        topic, type_name = names[message.channel], types.get(message.channel)
        if store is None or type_name is None:
            continue  # told by the check of schemas
        decoded, stamp_ns, told = None, NOWHERE_NS, wanting[topic]
        try:
            decoded = deserialize(store, message.data, type_name)
        except BagError as error:
            schemas.undecodable(topic, message.log_time_ns, str(error))
            told = [check for check in told if check.any_type]
        if decoded is not None and type_name in headed:
            stamp_ns = _stamp_ns(message.data)
        times = (stamp_ns, message.log_time_ns, message.publish_time_ns, message.sequence)
        seen = Seen(topic, decoded, *times)
        for check in told:
            check.see(seen)


def _headed(store: Typestore | None) -> frozenset[str]:
    """Return the types that begin with a std_msgs/Header."""
    if store is None:
        return frozenset()
    return frozenset(
        name
        for name, (_, fields) in store.fielddefs.items()
        if fields and fields[0][1][1] == "std_msgs/msg/Header"
    )


def _stamp_ns(cdr: bytes) -> int:
    seconds, nanoseconds = _STAMP[0 if cdr[1] & 1 else 1].unpack_from(cdr, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)
