"""The table of ``rove bag``'s commands; each is a module that is imported when it is asked for."""

from __future__ import annotations

import importlib
import sys

# name -> (module with main(words) -> exit status, one line of help)
COMMANDS = {
    "info": ("rove.bag.info", "what bags hold: outcome, takeovers, seconds in each stage, modes"),
    "verify": ("rove.bag.verify", "check schemas, rates, gaps, clocks, modes and digests"),
    "recover": ("rove.bag.recover", "make whole bags of what a dead recorder left"),
    "stats": ("rove.bag.stats", "interventions, bumps, latency and rates"),
    "cut": ("rove.bag.cut", "what learning must not see of bags"),
    "plot": ("rove.bag.plot", "a picture of an episode: film strip, stages, value, joints"),
    "layout": ("rove.bag.layout", "a Foxglove layout: cameras, stages, value, joints side by side"),
    "redact": ("rove.bag.redact", "remove a camera or an operator's identity from bags"),
}


def usage() -> str:
    """Return the text of ``rove bag --help``."""
    lines = ["usage: rove bag COMMAND [--options] [BAG or FOLDER of bags ...]", ""]
    lines += [f"  {name:8s} {text}" for name, (_, text) in COMMANDS.items()]
    lines += ["", "FOLDER is ./bags when none is named. A bag that cannot be used is named, the"]
    lines += ["others are done, and the exit status is 1. `rove bag COMMAND --help` tells more."]
    return "\n".join(lines)


def main(words: list[str]) -> int:
    """Run a command of ``rove bag``."""
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return 0 if words else 2
    if words[0] not in COMMANDS:
        allowed = ", ".join(COMMANDS)
        print(f"error: command {words[0]!r} given; allowed: {allowed}", file=sys.stderr)
        return 2
    status: int = importlib.import_module(COMMANDS[words[0]][0]).main(words[1:])
    return status
