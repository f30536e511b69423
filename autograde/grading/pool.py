"""Perform jobs on many workers at once: threads or processes of this machine, or any Dask cluster.

Workers run notebooks and know no answers; the coordinator, who iterates, prepares and judges. No more jobs are under
way than the workers need, so that memory stays flat however large the class. A worker that dies loses nothing: its job
is performed elsewhere; one that has cost three workers their lives is given up and recorded as such.

A worker hands a notebook to a sandbox, which is a process of its own, and waits. A few workers are therefore threads of
this process: that spares the machine as many processes, and what would be sent to them and back. Many would keep the
coordinator from its own work, and are processes.
"""

from __future__ import annotations

import contextlib
import logging
import re
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import dask
from distributed import Client, KilledWorker, LocalCluster, as_completed
from distributed import Future as DaskFuture
from distributed.security import Security

from autograde.grading.execute import Run
from autograde.grading.jobs import Done, perform, warm_up
from autograde.grading.refused import Refused
from autograde.grading.rooms import ROOMS

if TYPE_CHECKING:  # it knows the answers; a cluster's machines share the settings below and hold none
    from autograde.grading.submission import Work

DEATHS = 2  # workers that one job may cost before it is given up with the next
AS_THREADS = 4  # workers of this machine; more are processes
AHEAD = 2  # jobs a worker that are prepared before it asks
CONNECT_S = 20
SETTINGS = {
    "distributed.scheduler.allowed-failures": DEATHS,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.low-level-log-length": 16,  # messages that are kept to be looked at, jobs and all
    "distributed.admin.tick.limit": "30s",
    "distributed.logging.distributed": "error",
}


class NoWorkers(Refused):
    """The workers cannot be had, or are gone; the words say what to do. What was recorded stays recorded."""


class Pool:
    """Workers, as a context: ``workers`` of this machine, or those of the scheduler at an address.

    A scheduler on another machine is spoken to with the cluster's certificate, ``security``.

    Raises:
        NoWorkers: nobody answers at the scheduler's address, or no process can be started here.
    """

    def __init__(self, workers: int, scheduler: str | None = None, security: Security | None = None) -> None:
        self.workers, self.scheduler, self.security = workers, scheduler, security
        self.given_up = 0

    def __enter__(self) -> Pool:
        self.closing = contextlib.ExitStack()
        self.closing.enter_context(dask.config.set(SETTINGS))
        for name in ("distributed", "distributed.nanny", "distributed.worker", "distributed.scheduler", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self.client = self.closing.enter_context(self._client())
        except NoWorkers:
            self.closing.close()
            raise
        except (OSError, TimeoutError, ValueError) as error:
            self.closing.close()
            raise NoWorkers(
                f"no scheduler answers at {self.scheduler}: {error}. Start one with `python -m "
                "autograde.cluster.scheduler --tls DIR`, workers with `python -m autograde.cluster.worker ADDRESS "
                "--tls DIR`, and name its address"
            ) from None
        return self

    def _client(self) -> Client:
        if self.scheduler:
            self._look_at_address(self.scheduler)  # a client that could not begin would never end
            return Client(self.scheduler, timeout=CONNECT_S, security=self.security, set_as_default=False)
        self.closing.callback(ROOMS.close)
        cluster = self.closing.enter_context(self._local(DEATHS))
        client = self.closing.enter_context(Client(cluster, timeout=CONNECT_S, set_as_default=False))
        self.closing.callback(ROOMS.end)  # a thread that waits for a notebook would be waited for
        return client

    def _local(self, more: int) -> LocalCluster:
        """Workers of this machine; where one dies before it is ready, all are started anew, so many more times."""
        processes = self.workers > AS_THREADS
        apart = {"host": "127.0.0.1", "security": True} if processes else {}  # other users cannot talk to them
        try:
            return LocalCluster(
                n_workers=self.workers,
                threads_per_worker=1,
                processes=processes,
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # any free port: several may grade at once
                memory_limit=0,
                silence_logs=logging.CRITICAL,
                **apart,
            )
        except RuntimeError as error:
            if not more:
                raise NoWorkers(f"the workers do not start: {error}") from None
        return self._local(more - 1)

    def _look_at_address(self, scheduler: str) -> None:
        address = re.fullmatch(r"(tcp|tls)://\S+:\d+", scheduler)
        if not address:
            raise ValueError("expected tls://HOST:PORT or tcp://HOST:PORT")
        certificate = (self.security or Security()).get_tls_config_for_role("client")["ca_file"]
        if (address[1] == "tls") != bool(certificate):
            raise ValueError("tls://HOST:PORT goes with the cluster's certificate, --tls DIR, and only with it")

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(Exception):
            self.closing.close()

    def warm_up(self) -> None:
        """Have every worker start its warm sandbox now, and not with its first job."""
        addresses = self.client.scheduler_info(n_workers=-1)["workers"]
        self.warming = [self.client.submit(warm_up, workers=[one], pure=False) for one in addresses]

    def perform(self, works: Iterable[Work]) -> Iterator[tuple[Work, Done | None]]:
        """Perform the job of each work, in whatever order they end; a work without a job comes back at once.

        Raises:
            NoWorkers: the scheduler is gone.
        """
        waiting: dict[str, Work] = {}
        finished = as_completed([], loop=self.client.loop)
        for work in works:
            if work.job is None:
                yield work, None
                continue
            key = f"perform-{uuid.uuid4().hex}"  # Dask keeps for ever what it learns of a key's first word
            future = self.client.submit(perform, work.job, key=key, pure=False)
            waiting[key] = work
            finished.add(future)
            if len(waiting) >= AHEAD * self._width():
                yield self._next(finished, waiting)
        while waiting:
            yield self._next(finished, waiting)

    def _width(self) -> int:
        return max(1, len(self.client.nthreads()) if self.scheduler else self.workers)

    def _next(self, finished: as_completed, waiting: dict[str, Work]) -> tuple[Work, Done]:
        future: DaskFuture = next(finished)
        while future.status == "lost":  # its worker died with the reply: the scheduler has it performed again
            finished.add(future)
            future = next(finished)
        work = waiting.pop(str(future.key))
        if future.status == "finished":
            return work, future.result()
        error = future.exception() if future.status == "error" else None
        if isinstance(error, KilledWorker):
            self.given_up += 1
            words = f"it was begun {DEATHS + 1} times, and each time the worker that ran it died"
            return work, Done(Run(reason="dead", detail=words, unsafe=work.unsafe))
        if error is not None:
            raise error
        raise NoWorkers("the scheduler is gone. What was graded is recorded; the same command goes on from here")


class Performers:
    """Who performs jobs, as a context: a thread where one is enough, else a pool, opened once when it is needed."""

    def __init__(self, workers: int, scheduler: str | None = None, security: Security | None = None) -> None:
        self.workers, self.scheduler, self.security = workers, scheduler, security
        self.closing = contextlib.ExitStack()
        self.pool: Future[Pool] | None = None

    def __enter__(self) -> Performers:
        self.closing.callback(ROOMS.close)
        self.background = self.closing.enter_context(ThreadPoolExecutor(1))
        self.closing.callback(ROOMS.end)
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.close()

    def _needs_pool(self, count: int) -> bool:
        return count > 0 and (bool(self.scheduler) or min(self.workers, count) > 1)

    def open(self, count: int, warm: bool) -> None:
        """Begin, in the background, to open what ``count`` works need, and to warm it up if ``warm``."""
        if not self._needs_pool(count):
            if warm and count:
                self.background.submit(warm_up)
        elif self.pool is None:
            self.pool = self.background.submit(self._open, warm)

    def _open(self, warm: bool) -> Pool:
        pool = self.closing.enter_context(Pool(self.workers, self.scheduler, self.security))
        if warm:
            with contextlib.suppress(OSError, TimeoutError):  # the first job will say what is wrong
                pool.warm_up()
        return pool

    def perform(self, works: Iterable[Work], count: int) -> Iterator[tuple[Work, Done | None]]:
        """Perform the jobs of ``count`` works; see ``Pool.perform``."""
        if not self._needs_pool(count):
            for work in works:
                yield work, self.background.submit(perform, work.job).result() if work.job else None
            return
        self.open(count, warm=False)
        assert self.pool is not None
        yield from self.pool.result().perform(works)
