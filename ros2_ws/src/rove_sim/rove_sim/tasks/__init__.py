"""Tasks by name; a task's module is imported when the task is made."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from rove_core.errors import ConfigError

if TYPE_CHECKING:
    from rove_core.robot import RobotSpec
    from rove_sim.tasks.base import Task

# name -> "module:class". A new task adds one module and one line here.
TASKS = {
    "erase_whiteboard": "rove_sim.tasks.erase_whiteboard:EraseWhiteboard",
    "bread_toaster": "rove_sim.tasks.bread_toaster:BreadToaster",
    "press_button": "rove_sim.tasks.press_button:PressButton",
    "push_block": "rove_sim.tasks.push_block:PushBlock",
    "place_cup": "rove_sim.tasks.place_cup:PlaceCup",
}


def make_task(name: str, spec: RobotSpec) -> Task:
    """Return a task for a robot.

    Raises:
        ConfigError: no task of that name.
    """
    if name not in TASKS:
        raise ConfigError("task", name, TASKS, "argument task")
    module, cls = TASKS[name].split(":")
    task: Task = getattr(import_module(module), cls)(spec)
    return task
