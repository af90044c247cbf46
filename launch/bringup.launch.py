"""ros2 launch rove bringup.launch.py: the graph of rove/graph.py as a launch description."""

import os
from dataclasses import fields

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from rove.graph import GraphArguments, build_graph, parse_arguments
from rove.up import graph_environment
from rove_core.robot import load_robot


def _nodes(context: LaunchContext) -> list:
    names = [item.name for item in fields(GraphArguments)]
    given = parse_arguments(
        [f"{name}:={LaunchConfiguration(name).perform(context)}" for name in names]
    )
    namespace = given.namespace or load_robot(given.robot).name
    actions: list = []
    for spec in build_graph(given, namespace):
        node = Node(
            package=spec.package,
            executable=spec.executable,
            name=spec.name,
            namespace=spec.namespace,
            parameters=[dict(spec.parameters)],
            respawn=spec.respawn,
            respawn_delay=0.5,
            output="screen",
        )
        actions.append(node)
        if spec.ends_graph:
            done = EmitEvent(event=Shutdown(reason=f"{spec.name} is done"))
            actions.append(RegisterEventHandler(OnProcessExit(target_action=node, on_exit=[done])))
    return actions


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, the environment and the nodes."""
    declared = [
        DeclareLaunchArgument(
            item.name,
            default_value=str(item.default).lower()
            if isinstance(item.default, bool)
            else str(item.default),
            description=item.metadata["text"],
        )
        for item in fields(GraphArguments)
    ]
    environment = [
        SetEnvironmentVariable(name, value)
        for name, value in graph_environment(os.environ).items()
        if os.environ.get(name) != value
    ]
    return LaunchDescription([*declared, *environment, OpaqueFunction(function=_nodes)])
