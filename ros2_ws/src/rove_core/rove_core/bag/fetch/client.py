"""RobotBags: the learner's end of a fetch. What a robot says is checked before it is believed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from rove_core.bag.fetch.errors import (
    ChangedError,
    FetchError,
    RefusedError,
    UnreachableError,
)
from rove_core.bag.fetch.wire import (
    LARGEST_TO_LEARNER,
    Ask,
    Contents,
    FromLearner,
    FromRobot,
    List,
    Listed,
    Listing,
    Mark,
    Marked,
    Piece,
    Preparing,
    Read,
    Refused,
    decode_from_robot,
    encode,
)
from rove_core.bag.keeping.digests import HASH_BYTES, FileDigest
from rove_core.bag.keeping.names import is_bag_name, is_file_name, is_recording
from rove_core.curve_client import CurveDealer, Patience
from rove_core.errors import WireError
from rove_core.keys import KeyPair

AHEAD = 16
"""Pieces on their way, 4 MB: 50 MB/s over a network with a round trip of 80 ms."""
ASK_AGAIN_S = (0.01, 0.3)
"""While the robot reads a bag: first after so long, then after twice as long, up to so long."""

_Answer = TypeVar("_Answer")


class RobotBags:
    """The finished bags of a robot. Use it from one thread.

    Connections that break and robots that restart are waited for, and the question is asked
    again.

    Args:
        address: of the robot's keeper, for example ``tcp://10.0.0.7:7449``.
        key: this learner's CURVE pair; the robot must have its public half authorised.
        server_public: the robot's public CURVE key (z85).
        timeout_s: longest time without progress, s.
        clock: monotonic, s.

    Raises:
        ConfigError: malformed address or key.
    """

    def __init__(
        self,
        address: str,
        key: KeyPair,
        server_public: bytes,
        timeout_s: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address, self.public = address, server_public.decode()
        self._timeout_s, self._clock = timeout_s, clock
        self._calls = 0
        self._dealer = CurveDealer(
            address, key, server_public, node="keeper", queue=4 * AHEAD,
            largest_bytes=LARGEST_TO_LEARNER,
        )  # fmt: skip

    def list(self) -> tuple[str, dict[str, Listed]]:
        """Return the robot's name and its finished bags by name.

        Raises:
            UnreachableError: no answer.
            FetchError: refused, or an answer that is not to be believed.
        """
        bags: dict[str, Listed] = {}
        after, robot, more = "", "", True
        while more:
            page = self._ask(List(self._call(), after), Listing)
            robot, more = page.robot, page.more
            for listed in page.bags:
                if not is_bag_name(listed.bag) or listed.bag <= after:
                    raise FetchError(f"{self._robot}: bag {listed.bag!r} listed, not believed")
                after = listed.bag
                bags[after] = listed
            if more and not page.bags:
                raise FetchError(f"{self._robot}: an endless list of bags")
        return robot, bags

    def prepare(self, bag: str) -> None:
        """Let the robot begin to read a bag that will be asked for soon."""
        self._send(Ask(self._call(), bag))

    def contents(
        self, bag: str, on_preparing: Callable[[int, int], None] = lambda done, size: None
    ) -> tuple[FileDigest, ...]:
        """Return what a bag holds; the robot reads all of it before it answers.

        Raises:
            UnreachableError: no answer.
            RefusedError: no such bag, or names and sizes that are not to be believed.
        """

        again_s, longest_s = ASK_AGAIN_S
        while True:
            question = Ask(self._call(), bag)
            answer = self._ask(question, (Contents, Preparing))
            if isinstance(answer, Contents):
                files = answer.files
                break
            assert isinstance(answer, Preparing)
            on_preparing(answer.done, answer.size)
            self._dealer.pause(again_s)
            again_s = min(2 * again_s, longest_s)
        names = [file.name for file in files]
        if len(set(names)) != len(names) or not any(is_recording(name) for name in names):
            raise RefusedError(f"{self._robot}: bag {bag!r} holds {names}, not believed")
        for file in files:
            if not is_file_name(file.name) or len(file.pieces) != HASH_BYTES * file.count:
                raise RefusedError(
                    f"{self._robot}: bag {bag!r} holds {file.name!r} of {file.stamp.size} bytes in "
                    f"{len(file.pieces)} bytes of hashes, not believed"
                )
        return files

    def pieces(self, bag: str, file: FileDigest, first: int = 0) -> Iterator[bytes]:
        """Yield the pieces of a file from the ``first`` on, in order, each with the right hash.

        Raises:
            UnreachableError: no answer.
            ChangedError: the file changed on the robot.
            RefusedError: refused, or the bytes there are not those that it promised.
        """
        wanted = asked = first
        call, generation = self._call(), 0
        patience = Patience(self._timeout_s, self._clock)
        while wanted < file.count:
            if self._dealer.up:
                if generation != self._dealer.generation:  # the robot knows of no question
                    generation, asked = self._dealer.generation, wanted
                while asked < min(file.count, wanted + AHEAD):
                    if not self._send(Read(call, bag, file.name, file.sha256, asked)):
                        break
                    asked += 1
            answer = self._answer(call, patience, f"{bag}: piece {wanted} of {file.count}")
            if not isinstance(answer, Piece) or answer.index != wanted:
                continue  # asked for twice, because a connection broke
            if not file.fits(wanted, answer.data):
                raise RefusedError(
                    f"{self._robot}: bag {bag!r}, {file.name!r}: piece {wanted} is not what the "
                    "robot read before: its disk or the bag is damaged; look at it there with "
                    "`rove bag verify`"
                )
            wanted += 1
            yield answer.data
            patience.renew()  # the reader's own time is not the robot's

    def mark(self, bag: str, files: Mapping[str, str]) -> None:
        """Tell the robot that these files, name to SHA-256, are safe here.

        Raises:
            UnreachableError: no answer.
            ChangedError: that is not what it has now.
            RefusedError: it did not note it.
        """
        self._ask(Mark(self._call(), bag, dict(files)), Marked)

    def close(self) -> None:
        """Leave."""
        self._dealer.close()

    def __enter__(self) -> RobotBags:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _robot(self) -> str:
        return f"robot at {self.address}"

    def _send(self, message: FromLearner) -> bool:
        return self._dealer.send(encode(message))

    def _call(self) -> int:
        self._calls += 1
        return self._calls

    def _ask(
        self, question: FromLearner, kind: type[_Answer] | tuple[type[_Answer], ...]
    ) -> _Answer:
        """Ask, again after each break of the connection, until there is an answer of that kind."""
        patience = Patience(self._timeout_s, self._clock)
        generation = 0
        doing = "list" if isinstance(question, List) else f"{question.bag}"
        while True:
            if self._dealer.up and generation != self._dealer.generation and self._send(question):
                generation = self._dealer.generation
            answer = self._answer(question.call, patience, doing)
            if isinstance(answer, kind):
                return answer

    def _answer(self, call: int, patience: Patience, doing: str) -> FromRobot | None:
        """Return an answer to that call, or None when it is time to look again.

        Raises:
            UnreachableError: patience is over, or the robot refuses the key.
            RefusedError: it refused.
            FetchError: what came cannot be read.
        """
        if self._dealer.denied:
            raise UnreachableError(f"{self._robot}: {self._dealer.trouble()}")
        if patience.over:
            raise UnreachableError(
                f"{self._robot}: no answer within {self._timeout_s:g} s ({doing}): "
                f"{self._dealer.trouble()}. What arrived stays: the same pull later goes on"
            )
        data = self._dealer.attend(patience)
        try:
            answer = None if data is None else decode_from_robot(data)
        except WireError as error:
            raise FetchError(f"{self._robot}: {error}; is its ROVE older or newer?") from error
        if isinstance(answer, Refused) and answer.call in (0, call):
            kind = ChangedError if answer.again else RefusedError
            raise kind(f"{self._robot}: {answer.reason}")
        return answer if answer is not None and answer.call == call else None
