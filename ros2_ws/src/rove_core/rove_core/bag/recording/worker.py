"""RecorderThread: the one thread that owns the bags, so that nobody else waits for the disk."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Mapping

from rove_core.bag.recording.inbox import Inbox
from rove_core.bag.recording.session import RecordingSession

PERIOD_SECONDS = 0.05
"""Many messages a turn cost less than many turns; what waits is in memory all the same."""


class RecorderThread:
    """Moves what arrived from the inbox into the session.

    Args:
        inbox: filled by another thread.
        session: used by this thread alone, but for its ``outbox`` and ``status``.
        ros_now: ROS time, ns.
        publishers: stream -> number of publishers.

    Attributes:
        error: why the thread ended by itself, "" as long as it did not.
    """

    def __init__(
        self,
        inbox: Inbox,
        session: RecordingSession,
        ros_now: Callable[[], int],
        publishers: Callable[[], Mapping[int, int]] = dict,
    ) -> None:
        self._inbox, self._session = inbox, session
        self._ros_now, self._publishers = ros_now, publishers
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self.error = ""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def pump(self) -> None:
        """Do one turn; by the thread, or by a test without one."""
        for item in self._inbox.take():
            self._session.arrived(item)
        self._session.tick(self._ros_now(), self._publishers)

    def stop(self) -> None:
        """Take what is left, close the bag and end the thread. May wait for the disk."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        if not self.error:
            self.pump()
            self._session.close()

    def _run(self) -> None:
        try:
            while not self._over.wait(PERIOD_SECONDS):
                self.pump()
        except Exception:  # told to people, and the process starts again
            self.error = traceback.format_exc()
