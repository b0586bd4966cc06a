"""How training is started: in this process, or in several by torchrun's own agent.

The function that trains knows nothing of it beyond `group`; whoever can call it in every process and set up
torch.distributed there is a launcher.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import distributed
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from ozfig import console, files
from ozfig.errors import OutsideError, OzfigError, UserError

PATIENCE = 300  # seconds in which processes that were asked to stop may finish a step and its checkpoint
ERRORS = {kind.exit_code: kind for kind in (UserError, OutsideError)}


class Launcher(Protocol):
    """Calls `function(given)` in every process and returns what the first one returned.

    Both have to be picklable. Raises what the function raised, and KeyboardInterrupt when it was asked to stop.
    """

    def __call__(self, function: Callable[[Any], Any], given: Any) -> Any:
        """Start the processes and wait for them."""


def in_process(function: Callable[[Any], Any], given: Any) -> Any:
    """The launcher of one process: this one."""
    return function(given)


@dataclass(frozen=True)
class Torchrun:
    """The launcher of several processes on this machine, a GPU each for `cuda`.

    They find each other through a file and talk over the loopback interface.
    """

    processes: int
    device: str

    def __call__(self, function: Callable[[Any], Any], given: Any) -> Any:
        """See Launcher."""
        with tempfile.TemporaryDirectory(prefix="ozfig-") as folder, _as_before():
            meeting = Path(folder)
            config = LaunchConfig(
                min_nodes=1,
                max_nodes=1,
                nproc_per_node=self.processes,
                run_id="ozfig",
                max_restarts=0,
                rdzv_backend="c10d",
                rdzv_endpoint=str(meeting / "agent"),
                rdzv_configs={"store_type": "file"},
                local_addr="127.0.0.1",
                shutdown_timeout=PATIENCE,
            )
            try:
                found = elastic_launch(config, _work)(function, given, self.device, meeting)
            except SignalException:
                raise KeyboardInterrupt from None
            except ChildFailedError as error:
                raise _explained(meeting, error) from None
        if found[0] is None:
            raise KeyboardInterrupt
        return found[0]


def chosen(processes: int, device: str) -> Launcher:
    """The launcher for so many processes. Raises UserError where there are fewer GPUs than processes."""
    if processes == 1:
        return in_process
    if device == "mps" or (device == "cuda" and processes > torch.cuda.device_count()):
        there = torch.cuda.device_count() if device == "cuda" else 1
        raise UserError(f"tune.processes: {processes} need a GPU each, and {there} is here; set tune.processes={there}")
    return Torchrun(processes, device)


@contextmanager
def _as_before() -> Iterator[None]:
    """Undo what the agent leaves behind: signal handlers and a variable; keep its log of failures to ourselves."""
    log = logging.getLogger("torch.distributed.elastic")
    level, variable = log.level, "TORCHELASTIC_SIGNALS_TO_HANDLE"
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    handlers, value = {number: signal.getsignal(number) for number in numbers}, os.environ.get(variable)
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.environ.pop(variable, None)
        if value is not None:
            os.environ[variable] = value


def _work(function: Callable[[Any], Any], given: Any, device: str, meeting: Path) -> Any:
    """One process of several: join the others, then call the function; None when it was asked to stop."""
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    console.screen.quiet = rank > 0
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    else:
        threads = os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // size)))
        torch.set_num_threads(int(threads))
        loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "")
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
    store = distributed.FileStore(str(meeting / "workers"), size)
    backend = "nccl" if device == "cuda" else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
    try:
        return function(given)
    except KeyboardInterrupt:
        return None
    except OzfigError as error:
        files.write_json(meeting / f"error-{rank}.json", {"exit_code": error.exit_code, "text": str(error)})
        raise
    finally:
        distributed.destroy_process_group()


def _explained(meeting: Path, error: ChildFailedError) -> Exception:
    """What a process said before it failed; else the first failure as it came."""
    said = sorted(meeting.glob("error-*.json"))
    if not said:
        rank, failure = error.get_first_failure()
        return RuntimeError(f"process {rank} failed:\n{failure.message}")
    row = files.read_json(said[0])
    return ERRORS[row["exit_code"]](row["text"])
