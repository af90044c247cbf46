"""Page: the controls beside the 3-D view. Buttons ask; what is shown comes from the graph alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import viser

from rove_core.vocabulary import EpisodeKind
from rove_teleop.console import cards
from rove_teleop.console.actions import Action, refusal
from rove_teleop.console.view import View

NOBODY = "(nobody)"
"""Choice that takes the lease away."""
SAID_S = 6.0
"""How long an answer stays before it goes by itself; a refusal stays until it is closed."""
_COLOURS: dict[Action, Any] = {
    Action.ESTOP: (178, 74, 0),
    Action.RESET: "dark",
    Action.START: (0, 114, 178),
    Action.SUCCESS: (0, 158, 115),
    Action.FAILURE: (178, 74, 0),
    Action.ABORT: "gray",
    Action.PAUSE: "dark",
    Action.RESUME: (0, 114, 178),
    Action.LEASE: "dark",
    Action.APPROVE: (0, 158, 115),
}


@dataclass(frozen=True)
class Wish:
    """What somebody pressed, with the words that stood in the fields.

    Attributes:
        action: the button.
        person: who says they are at the page.
        kind, task, instruction: of an episode to start.
        operator: who shall hold the lease, "" for nobody.
    """

    action: Action
    person: str
    kind: EpisodeKind = EpisodeKind.ROLLOUT
    task: str = ""
    instruction: str = ""
    operator: str = ""


Answer = tuple[bool, str]
"""Whether it was done, and what was said."""


class Page:
    """The controls of one console.

    Args:
        server: of the page.
        task, instruction: what the fields hold at first.
        act: does what was wished; called from a thread of viser's, may wait.
    """

    def __init__(
        self,
        server: viser.ViserServer,
        task: str,
        instruction: str,
        act: Callable[[Wish], Answer],
    ) -> None:
        self._server, self._act = server, act
        self._buttons: dict[Action, viser.GuiButtonHandle] = {}
        self._shown: dict[str, str] = {}
        self._cards: dict[str, viser.GuiHtmlHandle] = {}
        self._cameras: dict[str, viser.GuiHtmlHandle] = {}
        self._names: dict[int, viser.GuiInputHandle[str]] = {}
        gui = server.gui
        gui.configure_theme(
            control_width="large", show_logo=False, show_share_button=False, dark_mode=False
        )
        gui.main_panel.dock_right()
        gui.add_html(cards.STYLE)
        self._add_button(Action.ESTOP)
        self._add_card("status")
        self._add_button(Action.RESET)
        self._you = gui.add_divider()
        with gui.add_folder("Episode"):
            self._kind = gui.add_dropdown("Kind", [kind.name.lower() for kind in EpisodeKind])
            self._task = gui.add_text("Task", task)
            self._instruction = gui.add_text("Instruction", instruction, multiline=True)
            for action in (
                Action.START,
                Action.SUCCESS,
                Action.FAILURE,
                Action.PAUSE,
                Action.RESUME,
                Action.ABORT,
            ):
                self._add_button(action)
        with gui.add_folder("Lease"):
            self._operator = gui.add_dropdown("Operator", [NOBODY])
            self._add_button(Action.LEASE)
        with gui.add_folder("Policy and value"):
            self._add_card("policy")
            self._add_card("question")
            self._add_button(Action.APPROVE)
        with gui.add_folder("Alarms"):
            self._add_card("alarms")
        self._pictures = gui.add_folder("Cameras")
        with gui.add_folder("Latency"):
            self._add_card("latency")
        with gui.add_folder("Parts"):
            self._add_card("health")
        server.on_client_connect(self._welcome)
        server.on_client_disconnect(self._farewell)

    @property
    def watched(self) -> bool:
        """Whether somebody has the page open."""
        return bool(self._server.get_clients())

    def _add_card(self, name: str) -> None:
        self._cards[name] = self._server.gui.add_html("")

    def _add_button(self, action: Action) -> None:
        button = self._server.gui.add_button(action.value, color=_COLOURS[action])
        self._buttons[action] = button
        button.on_click(lambda event: self._pressed(action, event))

    def _welcome(self, client: viser.ClientHandle) -> None:
        # Each tab has its own, so that nobody acts under the name of somebody else.
        name = client.gui.add_text("Your name", "", order=self._you.order)
        self._names[client.client_id] = name

    def _farewell(self, client: viser.ClientHandle) -> None:
        self._names.pop(client.client_id, None)

    def _pressed(self, action: Action, event: viser.GuiEvent[Any]) -> None:
        client = event.client
        name = self._names.get(client.client_id) if client is not None else None
        chosen = self._operator.value
        wish = Wish(
            action,
            person=(name.value.strip() if name is not None else "") or "console",
            kind=self._chosen_kind(),
            task=self._task.value.strip(),
            instruction=" ".join(self._instruction.value.split()),
            operator="" if chosen == NOBODY else chosen,
        )
        done, text = self._act(wish)
        if client is not None:
            client.add_notification(
                f"{action.value}: {'done' if done else 'not done'}",
                text,
                color=(0, 158, 115) if done else (178, 74, 0),
                auto_close_seconds=SAID_S if done else None,
            )

    def _chosen_kind(self) -> EpisodeKind:
        return EpisodeKind[str(self._kind.value).upper()]

    def show(self, view: View) -> None:
        """Show a view; only what changed goes to the browsers."""
        with self._server.atomic():
            self._set("status", cards.status_card(view))
            self._set("question", cards.question_card(view))
            self._set("alarms", cards.alarm_card(view))
            self._set("policy", cards.policy_card(view))
            self._set("latency", cards.latency_card(view.legs))
            self._set("health", cards.health_card(view))
            for action, button in self._buttons.items():
                why = refusal(view, action, self._chosen_kind())
                if button.disabled != bool(why):
                    button.disabled = bool(why)
                if (button.hint or "") != why:
                    button.hint = why or None
            options = (NOBODY, *view.operators)
            if tuple(self._operator.options) != options:
                chosen = self._operator.value
                self._operator.options = options
                wanted = chosen if chosen in options else options[-1]
                self._operator.value = wanted  # type: ignore[misc]

    def _set(self, name: str, content: str) -> None:
        if self._shown.get(name) != content:
            self._shown[name] = content
            self._cards[name].content = content

    def show_pictures(self, pictures: Mapping[str, bytes]) -> None:
        """Show cameras' JPEGs by name."""
        for name, jpeg in pictures.items():
            if name not in self._cameras:
                with self._pictures:
                    self._cameras[name] = self._server.gui.add_html("")
            self._cameras[name].content = cards.picture_card(name, jpeg)
