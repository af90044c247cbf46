"""Link: a learner's connection to the delivery of a robot."""

from __future__ import annotations

from rove_core.curve_client import CurveDealer, Patience
from rove_core.delivery.wire import (
    MAX_MESSAGE_BYTES,
    FromLearner,
    FromRobot,
    decode_from_robot,
    encode,
)
from rove_core.errors import PolicyError, WireError
from rove_core.keys import KeyPair

QUEUE = 8


class Link:
    """One connection, renewed when it breaks; see ``CurveDealer`` for its arguments, attributes
    and errors."""

    def __init__(self, address: str, key: KeyPair, server_public: bytes) -> None:
        self.address = address
        self._dealer = CurveDealer(
            address, key, server_public, node="policy", queue=QUEUE, largest_bytes=MAX_MESSAGE_BYTES
        )

    @property
    def generation(self) -> int:
        """Number of handshakes that succeeded."""
        return self._dealer.generation

    @property
    def up(self) -> bool:
        """Whether the connection stands."""
        return self._dealer.up

    def send(self, message: FromLearner) -> bool:
        """Send a message; False: the network is behind or the connection is gone."""
        return self._dealer.send(encode(message))

    def wait(self, patience: Patience) -> FromRobot | None:
        """Return an answer, or None when the connection changed or it is time to look again.

        Raises:
            PolicyError: the robot answered something else.
        """
        data = self._dealer.attend(patience)
        try:
            return None if data is None else decode_from_robot(data)
        except WireError as error:
            raise PolicyError(
                f"robot at {self.address}: {error}; is its ROVE older or newer?"
            ) from error

    def close(self) -> None:
        """Leave."""
        self._dealer.close()

    def silence(self, waited_s: float, doing: str) -> PolicyError:
        """Return the error for a robot that did not answer."""
        return PolicyError(
            f"robot at {self.address}: no answer within {waited_s:g} s ({doing}): "
            f"{self._dealer.trouble()}"
        )
