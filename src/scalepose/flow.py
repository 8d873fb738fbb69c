"""Many pictures one after the other, with reading, the network and decoding at work at the same time.

Threads suffice: decoding a file, the network and most of NumPy's work leave Python's lock to others. One thread alone
runs the network, so it may be anything, unless the stages say that it bears more. Results come in the order of the
pictures. It knows neither pictures nor networks: three functions do the work.
"""

from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from scalepose.runtimes.runtime import cores

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")
Found = TypeVar("Found")
Result = TypeVar("Result")

MOST_READERS = 8
WAITING = 2  # pictures that are ready and wait for their turn, beyond those being read
BATCHES = 4  # from so many times the batch size pictures of one size are gathered


@dataclass
class Stages(Generic[Item, Prepared, Found, Result]):
    """What is done with each picture.

    prepare: before the network, several pictures at a time. run: the network, a list of pictures that are alike.
    finish: after it. alike: pictures may share a batch if this says the same of them. runners: so many threads may be
    in `run` at the same time; a second one has work for the cores that a small network leaves idle between its layers.
    """

    prepare: Callable[[Item], Prepared]
    run: Callable[[list[Prepared]], list[Found]]
    finish: Callable[[Found], Result]
    alike: Callable[[Prepared], Hashable] = lambda prepared: None
    runners: int = 1


@runtime_checkable
class Staged(Protocol):
    """A function of a picture that can be taken apart, so that its parts can be at work at the same time."""

    def stages(self) -> Stages[Any, Any, Any, Any]:
        """The function in three parts."""
        ...


def flow(
    items: Iterable[Item], stages: Stages[Item, Prepared, Found, Result], batch: int = 1
) -> Generator[Future[Result], None, None]:
    """For each item, in order, a future that is done: its result, or why there is none.

    batch: so many pictures go through the network together where there are as many alike among the next few.
    Items are taken as they are needed, and few are under way at a time. Close the iterator to stop early.
    """
    readers = min(cores(), MOST_READERS)
    most_under_way = max(readers + WAITING, BATCHES * batch if batch > 1 else 0)
    network = _Network(stages, batch)
    under_way: deque[Future[Result]] = deque()
    reading = ThreadPoolExecutor(readers, "scalepose-read")
    try:
        network.start()
        for item in items:
            under_way.append(network.put(reading.submit(stages.prepare, item)))
            if len(under_way) == most_under_way:
                yield _done(under_way.popleft())
        while under_way:
            yield _done(under_way.popleft())
    finally:
        reading.shutdown(wait=False, cancel_futures=True)
        network.stop()
        reading.shutdown()  # nothing is at work any more


def _done(future: Future[Result]) -> Future[Result]:
    wait([future])
    return future


@dataclass
class _Picture(Generic[Prepared, Result]):
    """One on its way. prepared: what the network gets. done: what the caller gets."""

    prepared: Future[Prepared]
    done: Future[Result] = field(default_factory=Future)


class _Network(Generic[Prepared, Found, Result]):
    """The threads that run the network, and the one behind them that makes results of what it says."""

    def __init__(self, stages: Stages[Item, Prepared, Found, Result], batch: int):
        self._stages, self._batch = stages, batch
        self._queue: SimpleQueue[_Picture[Prepared, Result] | None] = SimpleQueue()
        self._stopped = Event()
        names = [f"scalepose-network-{i}" for i in range(stages.runners)]
        self._threads = [Thread(target=self._work, name=name, daemon=True) for name in names]
        self._finishing = ThreadPoolExecutor(1, "scalepose-finish")

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def put(self, prepared: Future[Prepared]) -> Future[Result]:
        """Hand over the next picture."""
        picture = _Picture[Prepared, Result](prepared)
        self._queue.put(picture)
        return picture.done

    def stop(self) -> None:
        """Return when nothing is at work any more; what has not begun is dropped."""
        self._stopped.set()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._finishing.shutdown(cancel_futures=True)

    def _work(self) -> None:
        waiting: dict[Hashable, list[_Picture[Prepared, Result]]] = {}  # those alike, the longest waiting first
        while not self._stopped.is_set():
            try:
                picture = self._queue.get(block=not waiting)
            except Empty:  # the caller waits for these before it brings more
                self._run(waiting.pop(next(iter(waiting))))
                continue
            if picture is None:
                continue
            try:
                kind = self._stages.alike(picture.prepared.result())
            except BaseException as error:
                picture.done.set_exception(error)
                continue
            alike = waiting.setdefault(kind, [])
            alike.append(picture)
            if len(alike) == self._batch:
                self._run(waiting.pop(kind))

    def _run(self, pictures: list[_Picture[Prepared, Result]]) -> None:
        try:
            found = self._stages.run([picture.prepared.result() for picture in pictures])
        except BaseException as error:
            for picture in pictures:
                picture.done.set_exception(error)
            return
        for picture, one in zip(pictures, found, strict=True):
            self._finishing.submit(self._finish, picture.done, one)

    def _finish(self, done: Future[Result], found: Found) -> None:
        try:
            done.set_result(self._stages.finish(found))
        except BaseException as error:
            done.set_exception(error)
