"""Cards: the view as HTML that needs no script. Everything from outside is escaped."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable
from html import escape

from rove_core.colours import MODE_COLOURS, MODE_INK, MODE_WORDS, STAGE_WORDS, WARNING_COLOUR
from rove_core.latency.ledger import LegReport
from rove_core.latency.legs import SUMS
from rove_core.vocabulary import Authority, Mode
from rove_teleop.console.view import Arbiter, Level, View

AUTHORITY_WORDS = {
    Authority.HOLD: "nobody: the robot holds",
    Authority.POLICY: "the policy",
    Authority.HUMAN: "the operator",
}
MARKS = {Level.OK: "✓", Level.WARN: "!", Level.ERROR: "✗", Level.STALE: "…"}

STYLE = f"""<span class="rove-first"></span><style>
.mantine-Button-root {{ min-height: 3.2rem; font-size: 1.05rem; white-space: normal; }}
.mantine-Button-label {{ white-space: normal; }}
*:has(> .rove-first) + * .mantine-Button-root {{ min-height: 4.2rem; font-size: 1.5rem; }}
*:has(> * > * > * > .rove-first) {{ overflow: visible !important; }}
*:has(> .rove-first) + *:has(.mantine-Button-root) {{ position: sticky; top: 0; z-index: 5; }}
.rove {{ width: 0; min-width: 100%; box-sizing: border-box; padding: .15rem .6rem;
  font: 15px/1.4 system-ui, sans-serif; }}
.rove .mode {{ border-radius: .5rem; padding: .5rem .7rem; }}
.rove .mode b {{ font-size: 1.6rem; letter-spacing: .02em; }}
.rove table {{ width: 100%; border-collapse: collapse; table-layout: fixed; }}
.rove td {{ padding: .12rem .3rem .12rem 0; vertical-align: top; overflow-wrap: anywhere; }}
.rove td:first-child {{ color: #666; width: 36%; }}
.rove .legs td:first-child {{ width: auto; }}
.rove .why {{ height: 2.8em; overflow: auto; }}
.rove .first, .rove .words td {{ white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }}
.rove td.n {{ width: 3.6rem; text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }}
.rove .late, .rove .alarm {{ color: {WARNING_COLOUR}; font-weight: 600; }}
.rove .alarm {{ margin: .2rem 0; overflow-wrap: anywhere; }}
.rove .ask {{ border-left: .35rem solid {WARNING_COLOUR}; padding: .3rem .6rem;
  font-size: 1.1rem; }}
.rove img {{ width: 100%; border-radius: .4rem; display: block; }}
</style>"""
"""Large buttons for fingers, the first of them (the emergency stop) never scrolled away; a card is
as wide as the panel, its own width counts as none: no long word pushes buttons aside."""


def _row(name: str, text: str, kind: str = "") -> str:
    return f"<tr><td>{escape(name)}</td><td class='{kind}'>{escape(text)}</td></tr>"


def _card(inside: str, what: str) -> str:
    return f"<div class='rove' data-card='{what}'>{inside}</div>"


def status_card(view: View) -> str:
    """Return mode, reason, first alarm, authority, stage, lease and episode; always of one height,
    so that no button below it moves under a finger."""
    arbiter = view.arbiter
    known = arbiter is not None
    if arbiter is None:
        arbiter = Arbiter(Mode.HOLD, reason="the arbiter is silent")
    mode = arbiter.mode
    colours = f"background:{MODE_COLOURS[mode]};color:{MODE_INK[mode]}"
    word, name = (MODE_WORDS[mode].upper(), mode.name) if known else ("UNKNOWN", "UNKNOWN")
    head = (
        f"<div class='mode' style='{colours}' data-mode='{name}'><b>{word}</b>"
        f"<div class='why'>{escape(arbiter.reason)}</div></div>"
    )
    alarms = [*filter(None, [arbiter.question]), *view.alarms]
    more = f" (and {len(alarms) - 1} more)" if len(alarms) > 1 else ""
    alarm = f"<div class='first alarm'>⚠ {escape(alarms[0])}{more}</div>" if alarms else ""
    alarm = alarm or "<div class='first'>all parts are well</div>"
    rows = [
        _row("who drives", AUTHORITY_WORDS[arbiter.authority] if known else "not known"),
        _row("stage", STAGE_WORDS[arbiter.stage]),
        _row("lease", arbiter.lease_holder or "nobody"),
    ]
    if view.episode is not None:
        kind = view.episode.kind.name.lower()
        rows.append(_row("episode", f"{kind}: {view.episode.instruction}"))
    else:
        rows.append(_row("episode", "none"))
    apart = "nobody to align"
    if not math.isnan(arbiter.position_error):
        degrees = math.degrees(arbiter.orientation_error)
        apart = f"{100 * arbiter.position_error:.0f} cm, {degrees:.0f}°"
    rows.append(_row("alignment", apart))
    return _card(f"{head}{alarm}<table class='words'>{''.join(rows)}</table>", "status")


def question_card(view: View) -> str:
    """Return what a person must answer, "" when there is nothing."""
    question = view.arbiter.question if view.arbiter is not None else ""
    return _card(f"<div class='ask'>{escape(question)}</div>", "question") if question else ""


def policy_card(view: View) -> str:
    """Return the running policy and the value with its suggestion."""
    policy, value = view.policy, view.value
    if policy is None:
        return _card("<table>" + _row("policy", "nothing was heard of it") + "</table>", "policy")
    agreed = "" if not policy.digest else ", approved" if policy.approved else ", not approved"
    rows = [
        _row("policy", f"{policy.digest[:12] or 'none'}{agreed}"),
        _row("state", ": ".join(t for t in (policy.state.name.lower(), policy.reason) if t)),
        _row("inference", f"{policy.inference_ms:.0f} ms"),
    ]
    if value is None:
        rows.append(_row("value", "no critic is deployed with this policy"))
    else:
        rows.append(_row("value", f"{value.value:.1f}"))
    suggestion = ""
    if value is not None and value.takeover_suggested:
        suggestion = "<div class='ask' data-suggestion='1'>The critic suggests a takeover.</div>"
    return _card(f"{suggestion}<table>{''.join(rows)}</table>", "policy")


def alarm_card(view: View) -> str:
    """Return what is wrong now."""
    lines = [f"<div class='alarm'>⚠ {escape(text)}</div>" for text in view.alarms]
    return _card("".join(lines) or "<div>all parts are well</div>", "alarms")


def health_card(view: View) -> str:
    """Return what every part says of itself, the recorder's figures in full."""
    rows = []
    for name, part in sorted(view.health.items()):
        kind = "" if part.level is Level.OK else "late"
        rows.append(_row(f"{MARKS[part.level]} {name}", part.message, kind))
        if name == "recorder":
            rows += [_row(f"· {key}", value) for key, value in part.values]
    return _card(f"<table>{''.join(rows)}</table>", "health")


def latency_card(legs: Iterable[LegReport]) -> str:
    """Return the ledger: p50, p99 and limit of each leg, and its share of the whole way."""
    legs = tuple(legs)
    if not legs:
        return _card("<div>nothing came yet: no operator drives or watches</div>", "latency")
    head = "<tr><td></td><td class='n'>p50</td><td class='n'>p99</td><td class='n'>limit</td></tr>"
    rows = []
    for report in legs:
        late = " late" if report.late else ""
        name = escape(report.leg.name)
        name = f"<b>{name}</b>" if report.leg.key in SUMS else name
        cells = "".join(
            f"<td class='n{late}'>{value:.1f}</td>"
            for value in (report.p50_ms, report.p99_ms, report.leg.limit_ms)
        )
        rows.append(f"<tr data-leg='{report.leg.key}'><td>{name}</td>{cells}</tr>")
    return _card(
        f"<table class='legs'>{head}{''.join(rows)}</table><div>ms, last 10 s</div>", "latency"
    )


def picture_card(camera: str, jpeg: bytes) -> str:
    """Return a camera's picture; its bytes go to the browser as they are."""
    data = base64.b64encode(jpeg).decode("ascii")
    name = escape(camera)
    return _card(
        f"<img alt='{name}' src='data:image/jpeg;base64,{data}'><div>{name}</div>", "camera"
    )
