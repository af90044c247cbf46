"""Colours and words of stages and modes: the same on every picture and page.

Okabe and Ito's palette, told apart with every common colour vision, and greys for a robot that
holds. Nothing is told by colour alone: words or a legend stand beside it.
"""

from __future__ import annotations

from rove_core.vocabulary import Mode, Stage

STAGE_WORDS = {
    Stage.NONE: "cut",
    Stage.ROLLOUT: "rollout",
    Stage.ADAPTATION: "adaptation",
    Stage.RECOVERY: "recovery",
    Stage.DEMONSTRATION: "demonstration",
}
STAGE_COLOURS = {
    Stage.NONE: "#e4e4e4",
    Stage.ROLLOUT: "#0072b2",
    Stage.ADAPTATION: "#e69f00",
    Stage.RECOVERY: "#009e73",
    Stage.DEMONSTRATION: "#cc79a7",
}
# Ink on those colours with a contrast of at least 4.5 to 1; a test holds it.
STAGE_INK = {
    Stage.NONE: "#444444",
    Stage.ROLLOUT: "#ffffff",
    Stage.ADAPTATION: "#1a1a1a",
    Stage.RECOVERY: "#0a0a0a",
    Stage.DEMONSTRATION: "#1a1a1a",
}

MODE_WORDS = {mode: "e-stop" if mode == Mode.ESTOP else mode.name.lower() for mode in Mode}
MODE_COLOURS = {
    Mode.IDLE: "#ececec",
    Mode.AUTONOMOUS: "#0072b2",
    Mode.PAUSED: "#c8c8c8",
    Mode.ALIGN: "#56b4e9",
    Mode.HUMAN: "#e69f00",
    Mode.CLUTCH: "#f0e442",
    Mode.HANDBACK: "#cc79a7",
    Mode.HOLD: "#6b6b6b",
    Mode.ESTOP: "#b24a00",
}
MODE_INK = {
    mode: "#ffffff" if mode in (Mode.AUTONOMOUS, Mode.HOLD, Mode.ESTOP) else "#1a1a1a"
    for mode in Mode
}

POLICY_COLOUR = STAGE_COLOURS[Stage.ROLLOUT]
HUMAN_COLOUR = STAGE_COLOURS[Stage.ADAPTATION]
WARNING_COLOUR = MODE_COLOURS[Mode.ESTOP]
