"""A one-node Slurm cluster from Debian's packages, on loopback and in one folder, run by the current user.

It shares nothing with a Slurm installation of the machine: keys, sockets, ports and state are separate. Slurm tracks
the processes of a job by their parents (`proctrack/linuxproc`), which needs no cgroups. There is no accounting.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from components import Context, Model, Stored, TransformedExamples
from components.testing import FakeTrainer
from components.testing.fakes import FakeTrainerConfig
from tests.support.ports import free_ports
from tests.support.processes import REPOSITORY, environment, wait_until

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
SCRIPT = REPOSITORY / "configs" / "batch" / "slurm.sbatch"
CONFIG = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={sockets}/munge.socket
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={sockets}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
MailProg=/bin/true
MpiDefault=none
# Only jobs with --requeue are requeued.
JobRequeue=0
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=1
# The node reports the resources that the shipped script requests, even if the machine has less. Tasks connect to each
# other by its name.
SlurmdParameters=config_overrides
NodeName=DEFAULT CPUs=8 RealMemory=64000
{nodes}
PartitionName=batch Nodes=ALL Default=YES PriorityTier=1
PartitionName=graceful Nodes=ALL PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=ALL PriorityTier=2
"""
ONE_NODE = "NodeName=localhost NodeHostname={host} NodeAddr=127.0.0.1"
TWO_NODES = "NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1\nNodeName=node2 NodeAddr=127.0.0.2"
OTHER_HOST = """\
echo "127.0.0.2 node2" > {folder}/hosts
mount --bind {folder}/hosts /etc/hosts
mount -t tmpfs tmpfs {folder}/tmp
hostname node2
exec slurmd -D -N node2
"""
"""Starts a node as on a second machine: in its namespaces it has another host name and another folder `tmp`."""


class WaitingTrainerConfig(FakeTrainerConfig):
    """Configuration of WaitingTrainer."""

    endings: int = 1
    """Termination requests to wait for."""
    fails: bool = False
    """Whether the attempt after those fails."""


class WaitingTrainer(FakeTrainer):
    """Waits for termination requests and saves their number; after the last one it fails once, or finishes."""

    Config = WaitingTrainerConfig
    config: WaitingTrainerConfig

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        assert context.checkpoints is not None
        context.checkpoints.mkdir(parents=True, exist_ok=True)
        saved = len(list(context.checkpoints.iterdir()))
        context.progress.message(f"ended {saved} times")
        if saved < self.config.endings:
            with context.termination.deferred():
                while not context.termination.requested:
                    time.sleep(0.05)
                time.sleep(0.5)
                (context.checkpoints / str(saved)).touch()
        if saved == self.config.endings and self.config.fails:
            (context.checkpoints / str(saved)).touch()
            raise ZeroDivisionError
        return super().run(context, transformed=transformed)


@dataclass(frozen=True)
class SlurmJob:
    """A submitted job and its log."""

    cluster: Cluster
    number: str
    log: Path

    @property
    def status(self) -> dict[str, str]:
        """The fields of `scontrol show job`."""
        line = self.cluster.run("scontrol", "--oneliner", "show", "job", self.number)
        return dict(word.split("=", 1) for word in line.split() if "=" in word)

    @property
    def output(self) -> str:
        """The output of all attempts."""
        return self.log.read_text() if self.log.exists() else ""

    def describe(self) -> str:
        """Return status and output, for the message of a failed assertion."""
        return f"{self.status}\n{self.output}"

    def wait_for_text(self, text: str, *, seconds: float = 60) -> None:
        wait_until(lambda: text in self.output, self.describe, seconds=seconds)

    def wait_for_requeue(self, restarts: int = 1, *, seconds: float = 60) -> None:
        """Wait until Slurm has requeued the job this many times."""

        def requeued() -> bool:
            status = self.status
            assert status["JobState"] not in ENDED, self.describe()
            return status["JobState"] == "PENDING" and int(status["Restarts"]) == restarts

        wait_until(requeued, self.describe, seconds=seconds)

    def wait_until_gone(self, *, seconds: float = 60) -> None:
        """Wait until the job is neither running nor queued."""
        queued = ("squeue", "--noheader", f"--jobs={self.number}")
        wait_until(lambda: not self.cluster.run(*queued).strip(), self.describe, seconds=seconds)

    def hurry(self) -> None:
        """Start a requeued job after two seconds; by default Slurm waits for two minutes.

        Earlier, the node can refuse it: the credential of the last attempt is revoked with a resolution of one second.
        """
        self.cluster.run("scontrol", "update", f"JobId={self.number}", "StartTime=now+2")

    def end(self, *, seconds: float = 60) -> tuple[str, str]:
        """Wait for the end and return state and exit code in the format of `sacct`: ("FAILED", "2:0")."""
        wait_until(lambda: self.status["JobState"] in ENDED, self.describe, seconds=seconds)
        status = self.status
        return status["JobState"], status["ExitCode"]


class Cluster:
    """A running cluster, and its commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**environment(), "PATH": PATH, "SLURM_CONF": str(folder / "slurm.conf")}

    def run(self, *command: str, cwd: Path | None = None, variables: Mapping[str, str] | None = None) -> str:
        """Run a Slurm command and return its standard output."""
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**self.environment, **(variables or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    def submit(
        self, folder: Path, *arguments: object, variables: Mapping[str, str], options: tuple[str, ...] = ()
    ) -> SlurmJob:
        """Submit the shipped script from a folder.

        Args:
            folder: the working directory.
            arguments: of the job.
            variables: environment variables of the script.
            options: of sbatch.
        """
        command = ("sbatch", "--parsable", *options, str(SCRIPT), *map(str, arguments))
        number = self.run(*command, cwd=folder, variables=variables).strip()
        return SlurmJob(self, number, folder / f"mnist-job-{number}.out")

    def stop_jobs(self) -> None:
        """Kill all jobs of this user and wait until the queue is empty."""
        self.run("scancel", f"--user={getpass.getuser()}", "--full", "--signal=KILL")
        self.run("scancel", f"--user={getpass.getuser()}")
        wait_until(lambda: not self.run("squeue", "--noheader"), lambda: self.run("squeue"), seconds=60)


@cache
def missing_programs() -> list[str]:
    """Return the programs of a cluster that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program, path=PATH) is None]


@contextmanager
def running_cluster(folder: Path, *, nodes: str = ONE_NODE) -> Iterator[Cluster]:
    """Start munge, the controller and its nodes, and stop them at the end of the block; two nodes need root."""
    cluster = Cluster(folder)
    for name in ("munge", "state"):
        (folder / name).mkdir(mode=0o700)
    (folder / "munge" / "key").write_bytes(os.urandom(128))
    (folder / "munge" / "key").chmod(0o400)
    host, user = socket.gethostname().split(".")[0], getpass.getuser()
    settings = {"host": host, "user": user, "folder": folder, "ports": free_ports(2), "nodes": nodes.format(host=host)}
    munge = [f"--{name}-file={folder / 'munge' / name}" for name in ("key", "pid", "log", "seed")]
    with ExitStack() as stack:
        # The path of a socket has at most 108 characters, and the folder of a test can take 90.
        sockets = Path(stack.enter_context(TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True)))
        (folder / "slurm.conf").write_text(CONFIG.format(**settings, sockets=sockets))
        # --force, because munged refuses a socket in a folder that other users cannot enter.
        munge = ["--foreground", "--force", f"--socket={sockets / 'munge.socket'}", *munge]
        stack.enter_context(daemon(cluster, "munged", *munge))
        wait_until((sockets / "munge.socket").exists, (folder / "munged.out").read_text, seconds=10)
        stack.enter_context(daemon(cluster, "slurmctld", "-D"))
        stack.enter_context(daemon(cluster, "slurmd", "-D", "-N", "localhost" if nodes == ONE_NODE else "node1"))
        if nodes == TWO_NODES:
            other_host = OTHER_HOST.format(folder=folder)
            stack.enter_context(daemon(cluster, "unshare", "--uts", "--mount", "sh", "-ec", other_host))
        wait_until(lambda: nodes_are_idle(cluster), (folder / "slurmd.out").read_text, seconds=60)
        try:
            yield cluster
        finally:
            cluster.stop_jobs()


def nodes_are_idle(cluster: Cluster) -> bool:
    """Return whether the controller responds and its nodes are idle."""
    done = subprocess.run(
        ["sinfo", "--noheader", "--partition=batch", "--format=%t"],
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.strip() == "idle"


@contextmanager
def daemon(cluster: Cluster, *command: str) -> Iterator[None]:
    """Run a program in the foreground for the duration of the block; its output goes to a file."""
    with (cluster.folder / f"{command[0]}.out").open("w") as output:
        process = subprocess.Popen(
            command, env=cluster.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
