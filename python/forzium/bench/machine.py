"""What this machine is: processor, caches, usable CPUs. Nothing heavy is imported."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def usable_cpus() -> int:
    """CPUs that this process may use: its affinity, and the container's quota where there is one."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(count, _container_quota(count)))


def _container_quota(default: int) -> int:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return default if quota == "max" else int(quota) // int(period)
    except (OSError, ValueError):
        return default


def cpu_model() -> str:
    """The processor's name, as the kernel tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def caches() -> dict[str, str]:
    """Sizes of the first CPU's caches, as {"L1d": "32K", "L2": "1024K", …}; empty where unknown."""
    found = {}
    for index in sorted(_CACHES.glob("index*")):
        try:
            level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        found[f"L{level}{ {'Data': 'd', 'Instruction': 'i'}.get(kind, '') }"] = size
    return found


def busy(machine: dict[str, Any]) -> str:
    """A warning where other work shared the CPUs when the measuring began; else nothing."""
    load, cpus = machine.get("load", 0.0), machine.get("cpus", 1)
    if load < 0.25 * cpus:
        return ""
    return (
        f"The machine was busy (load {load:.1f} on {cpus} CPUs): expect better and steadier figures without."
    )


def describe() -> dict[str, Any]:
    """All of it, for the results."""
    return {
        "cpu": cpu_model(),
        "architecture": platform.machine(),
        "cpus": usable_cpus(),
        "load": os.getloadavg()[0],
        "caches": caches(),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
