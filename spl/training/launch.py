"""The start of a training in several processes: by `torchrun` here, or on every node of a Slurm job."""

import os
import socket
import sys
from collections.abc import Mapping

from spl.common.errors import TrainingError


def launch(processes: int, *, nodes: int) -> None:
    """Replace this process by the command that starts this one `processes` times; in each of those, do nothing.

    Raises: TrainingError if another number was started, or the nodes cannot share the processes equally.
    """
    command = launcher(processes, nodes=nodes, environment=os.environ)
    if command:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # of arithmetic, `threads` says later; torchrun would warn
        os.execvp(command[0], [*command, "-m", "spl", *sys.argv[1:]])


def launcher(processes: int, *, nodes: int, environment: Mapping[str, str]) -> list[str]:
    """Return what stands before `-m spl` in the command to run instead of this one; empty for this one."""
    started = int(environment.get("WORLD_SIZE", "1"))
    if processes == started:
        return []
    if started > 1:
        raise TrainingError(
            f"training.processes is {processes}, but torchrun has started {started}. Run the command without torchrun: "
            "it starts its processes itself"
        )
    if processes % nodes:
        raise TrainingError(f"{nodes} nodes cannot share {processes} processes equally: change training.processes")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes // nodes)]
    if nodes == 1:
        return [*torchrun, "--standalone"]
    job = environment.get("SLURM_JOB_ID")
    if job is None:
        raise TrainingError(f"--nodes {nodes}: this is no Slurm job. On one machine leave --nodes out")
    if "SPL_MAIN_NODE" in environment:  # one of the copies that srun has started, one on each node
        rank, address = environment["SLURM_NODEID"], environment["SPL_MAIN_NODE"]
        torchrun += ["--nnodes", str(nodes), "--node-rank", rank, "--master-addr", address]
        return [*torchrun, "--master-port", str(20_000 + int(job) % 20_000)]
    # The batch script runs on the first node. A task would be bound to one core, and would outlive the others.
    layout = ["--nodes", str(nodes), "--ntasks", str(nodes), "--ntasks-per-node", "1"]
    main = f"SPL_MAIN_NODE={socket.gethostname()}"
    return ["srun", *layout, "--cpu-bind=none", "--kill-on-bad-exit=1", "env", main, sys.executable]
