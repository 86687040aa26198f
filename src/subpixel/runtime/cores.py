"""How many threads a network gets by default."""

import os
from math import ceil
from pathlib import Path


def available_cores() -> int:
    """Physical cores that this process may use: its affinity mask and its container's quota count.

    A second thread on one core shares its arithmetic units and does not make a convolution faster. Where the
    system does not tell which processors share a core (Windows), every processor counts.
    """
    everything = range(os.cpu_count() or 1)
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else everything
    cores = {_siblings(processor) for processor in allowed}
    return max(1, min(len(cores), _quota() or len(cores)))


def _siblings(processor: int) -> str:
    """The processors on this one's core, as Linux writes them; elsewhere the processor itself."""
    topology = Path(f"/sys/devices/system/cpu/cpu{processor}/topology")
    for name in ("core_cpus_list", "thread_siblings_list"):
        try:
            return (topology / name).read_text().strip()
        except OSError:
            continue
    return str(processor)


def _quota(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """The CPU quota of the control groups around this process in whole cores, rounded up; None without one."""
    quotas = []
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2: one tree
            top, names = root, ["cpu.max"]
        elif "cpu" in controllers.split(","):
            top, names = root / "cpu", ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        else:
            continue
        folder = top / path.lstrip("/")
        # A container may see only its own group, mounted at the top, under a path of the host.
        for group in (folder, *(p for p in folder.parents if p.is_relative_to(top))):
            try:
                words = " ".join((group / name).read_text() for name in names).split()
                if words[0] not in ("max", "-1"):
                    quotas.append(ceil(int(words[0]) / int(words[1])))
            except (OSError, ValueError, IndexError):
                continue
    return min(quotas, default=None)
