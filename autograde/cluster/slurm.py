"""Workers that Slurm starts: ``python -m autograde.cluster.slurm --shared DIR --jobs 20 --queue NAME``.

Run it where you grade, or on any machine that can submit jobs and that the nodes can reach: it holds the scheduler,
asks Slurm for the jobs, says how many workers there are, and asks again for those whose time has run out. It stays
until Ctrl-C, which ends the jobs. ``DIR`` is a folder that every node sees: it holds the cluster's certificate (made
where there is none) and what the workers say. Whatever else your site needs, such as modules to load, is said in
Dask's own ``~/.config/dask/jobqueue.yaml``.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dask
from dask_jobqueue import SLURMCluster

from autograde.cluster import certificates
from autograde.cluster.worker import REFUSED
from autograde.grading.pool import SETTINGS

PROJECT = Path(__file__).resolve().parent.parent.parent
LOOK_S, ASK_S = 1, 60


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if not shutil.which("sbatch"):
        print("autograde.cluster.slurm: sbatch is not here: run it on a machine that submits to Slurm", file=sys.stderr)
        return 1
    options.shared = options.shared.resolve()
    if not (options.shared / certificates.KEY).exists():
        certificates.make(options.shared)
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        with dask.config.set(SETTINGS), cluster(options) as slurm:
            refusal = refused_by_slurm(slurm)
            if refusal:
                print(refusal, file=sys.stderr)
                return 1
            slurm.scale(jobs=options.jobs)
            print(f"The scheduler is {slurm.scheduler_address}. Grade with:")
            print(f"autograde grade NAME --scheduler {slurm.scheduler_address} --tls {options.shared}", flush=True)
            keep(slurm, options)
    except KeyboardInterrupt:
        print("\nThe scheduler and its jobs have ended.")
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m autograde.cluster.slurm", description=__doc__)
    made.add_argument("--shared", type=Path, required=True, metavar="DIR", help="a folder that every node sees")
    made.add_argument("--jobs", type=int, default=4, metavar="N", help="how many jobs to ask for")
    made.add_argument("--cores", type=int, default=1, metavar="N", help="cores of a job: one worker each")
    made.add_argument("--memory", default="6GB", help="memory of a job: what its notebooks may take, and 2 GB a worker")
    made.add_argument("--queue", metavar="NAME", help="Slurm's partition")
    made.add_argument("--account", metavar="NAME", help="the account that is charged")
    made.add_argument("--walltime", metavar="HH:MM:SS", help="how long a job may last")
    made.add_argument("--interface", metavar="NAME", help="network interface that the nodes share, such as ib0")
    made.add_argument("--port", type=int, default=0, metavar="N", help="the scheduler's port (default: any)")
    return made


def cluster(options: argparse.Namespace) -> SLURMCluster:
    """A scheduler here, and jobs whose command is our worker, which refuses where nothing confines student code."""
    prologue = [*dask.config.get("jobqueue.slurm.job-script-prologue"), shlex.join(["cd", str(PROJECT)])]
    return SLURMCluster(
        cores=options.cores,
        processes=options.cores,
        memory=options.memory,
        queue=options.queue,
        account=options.account,
        walltime=options.walltime,
        interface=options.interface,
        job_name="unrolled",
        log_directory=str(options.shared / "logs"),
        security=certificates.security(options.shared),
        scheduler_options={"port": options.port, "dashboard_address": "127.0.0.1:0"},
        worker_command="autograde.cluster.worker",
        worker_extra_args=["--nworkers", str(options.cores)],
        job_script_prologue=prologue,
    )


def refused_by_slurm(slurm: SLURMCluster) -> str:
    """What Slurm has against such a job, asked before any is handed in."""
    trial = subprocess.run(["sbatch", "--test-only"], input=slurm.job_script(), capture_output=True, text=True)
    return trial.stderr.strip() if trial.returncode else ""


def keep(slurm: SLURMCluster, options: argparse.Namespace) -> None:
    """Say what changes, and every minute ask again for jobs whose time has run out."""
    told, refused, asked = -1, set[tuple[str, str]](), time.monotonic()
    while True:
        count = len(slurm.scheduler_info["workers"])
        if count != told:
            print(f"{count} of {options.jobs * options.cores} workers are here", flush=True)
            told = count
        for job, words in set(refused_by_workers(options.shared / "logs", slurm)) - refused:
            print(f"job {job}: {words}", flush=True)
            refused.add((job, words))
        if time.monotonic() - asked > ASK_S:
            slurm.scale(jobs=options.jobs)
            asked = time.monotonic()
        time.sleep(LOOK_S)


def refused_by_workers(logs: Path, slurm: SLURMCluster) -> Iterator[tuple[str, str]]:
    """The jobs that ended because nothing confines student code there, with what their workers said."""
    for job in list(slurm.workers.values()):
        for path in logs.glob(f"*-{job.job_id}.err"):
            lines = path.read_text(errors="replace").splitlines()
            yield from ((job.job_id, line) for line in lines if line.startswith(REFUSED))


if __name__ == "__main__":
    sys.exit(main())
