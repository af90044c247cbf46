"""Node parameters with type, bounds, unit and text; a bad one stops the node when it starts."""

from __future__ import annotations

from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from rove_core.errors import ConfigError

T = TypeVar("T", str, int, float, bool)


def parameter(
    node: Node, name: str, default: T, text: str, bounds: tuple[float, float] | None = None
) -> T:
    """Declare a read-only parameter and return its value.

    Args:
        node: the node that owns it.
        name: its name.
        default: the value when nobody sets it; its type is the parameter's type.
        text: what it means, with the unit.
        bounds: smallest and largest value allowed, for numbers.

    Raises:
        ConfigError: the value has another type or is out of bounds.
    """
    descriptor = ParameterDescriptor(description=text, read_only=True)
    where = f"parameter of {node.get_fully_qualified_name()}"
    if bounds is not None and isinstance(default, float):
        limits = FloatingPointRange(from_value=float(bounds[0]), to_value=float(bounds[1]))
        descriptor.floating_point_range = [limits]
    elif bounds is not None:
        steps = IntegerRange(from_value=int(bounds[0]), to_value=int(bounds[1]), step=1)
        descriptor.integer_range = [steps]
    try:
        value: Any = node.declare_parameter(name, default, descriptor).value
    except InvalidParameterTypeException as error:
        kind = type(default).__name__
        raise ConfigError(f"{name} ({text})", str(error), f"a {kind}", where) from error
    except InvalidParameterValueException as error:
        allowed = f"{bounds[0]} to {bounds[1]}" if bounds else "see the text"
        raise ConfigError(f"{name} ({text})", str(error), allowed, where) from error
    return value  # type: ignore[no-any-return]
