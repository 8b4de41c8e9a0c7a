"""The owner of a child process, seen from within: messages come from it and go to it, and without it the child ends.

Why: an owner may be killed in any way, and its end of the pipe may be held open by another of its children; so a child
looks at its parent's number too.
Promises: a child ends within seconds of its owner, with all that it has started; what it logs is logged by the owner.
"""

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn

from inference_kit.processes.channel import Channel
from inference_kit.processes.messages import Log

if TYPE_CHECKING:
    from loguru import Message

WATCH_SECONDS = 1.0


class Owner:
    """The process of number `pid` that has started this one."""

    def __init__(self, pid: int, channel: Channel) -> None:
        self._pid, self._channel = pid, channel

    def receive(self) -> Any:
        """Wait for the next message; return None when the owner has closed the channel or is gone."""
        while True:
            try:
                return self._channel.receive(time.monotonic() + WATCH_SECONDS)
            except TimeoutError:
                if not self._is_there():
                    return None
            except EOFError:
                return None

    def send(self, message: Any) -> None:
        """Send a message; where nobody is there to read it, end."""
        try:
            self._channel.send(message)
        except OSError:
            end_group()

    def watch(self) -> None:
        """Let a thread end this process when the owner is gone, for one that receives nothing while it works."""
        threading.Thread(target=self._end_after_owner, daemon=True).start()

    def forward_log(self) -> None:
        """Send what this process logs to the owner, who logs it with its level."""
        from loguru import logger

        logger.remove()
        logger.add(self._send_log, level="DEBUG", format="{message}")

    def _send_log(self, message: "Message") -> None:
        self.send(Log(message.record["level"].name, message.record["message"]))

    def _end_after_owner(self) -> None:
        while self._is_there():
            time.sleep(WATCH_SECONDS)
        end_group()

    def _is_there(self) -> bool:
        return os.getppid() == self._pid


def end_group() -> NoReturn:
    """End this process and all that it has started, at once."""
    os.killpg(os.getpgrp(), signal.SIGKILL)
    raise AssertionError("a process does not outlive SIGKILL")
