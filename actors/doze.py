"""A task that sleeps until there is something to do.

A `trio.Event` is used up by one wake-up, and the dispatcher sleeps thousands of times a second. One task sleeps in one `Doze`;
a wake-up while it is awake does nothing, so it looks for work before it sleeps.
"""

import trio


class Doze:
    """The bed of one task."""

    __slots__ = ("_task",)

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None

    def wake(self) -> None:
        """Wake the task if it sleeps; on trio's thread only."""
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    async def wait(self) -> None:
        """Sleep until `wake`; a checkpoint."""
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED
