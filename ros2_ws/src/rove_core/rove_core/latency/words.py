"""Reports of legs as the words of ``/diagnostics``, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from rove_core.latency.ledger import LegReport
from rove_core.latency.legs import LEGS, Leg

_UNITS = ("p50", "p99", "largest", "limit")


def words_of(reports: Iterable[LegReport]) -> dict[str, str]:
    """Return key of a leg -> its figures, ms; legs without times are left out."""
    return {
        report.leg.key: (
            f"p50 {report.p50_ms:.1f} p99 {report.p99_ms:.1f} largest {report.largest_ms:.1f} "
            f"limit {report.leg.limit_ms:g} ms n {report.count}"
        )
        for report in reports
        if report.count
    }


def alarm_of(reports: Iterable[LegReport]) -> str:
    """Return what is too slow, for people; "" when nothing is."""
    return "; ".join(
        f"{report.leg.name}: p99 {report.p99_ms:.0f} ms, {report.leg.limit_ms:g} allowed"
        for report in reports
        if report.late
    )


def reports_of(words: Mapping[str, str]) -> tuple[LegReport, ...]:
    """Return the reports that ``words_of`` wrote; what is not understood is left out."""
    known = {leg.key: leg for leg in LEGS}
    found = []
    for key, text in words.items():
        leg, parts = known.get(key), text.split()
        if leg is None or len(parts) != 11 or (*parts[0:8:2],) != _UNITS:
            continue
        try:
            p50, p99, largest, limit = (float(parts[i]) for i in (1, 3, 5, 7))
            count = int(parts[10])
        except ValueError:
            continue
        if all(math.isfinite(value) for value in (p50, p99, largest, limit)):
            measured = Leg(leg.key, leg.start, leg.end, limit)
            found.append(LegReport(measured, count, p50, p99, largest))
    return tuple(found)
