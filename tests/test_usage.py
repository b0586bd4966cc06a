import resource
import sys
from pathlib import Path

import numpy as np
import pytest

from ozfig import usage


def test_the_peak_is_the_blocks_own(tmp_path):
    def fill(mib: int) -> int:
        return len(np.ones(mib << 20, np.uint8))

    fill(400)
    with usage.measured() as small:
        fill(10)
    with usage.measured() as large:
        fill(300)
    assert large.peak_memory_mb > small.peak_memory_mb + 200
    assert 0 < small.seconds < 60


def test_disk_is_counted_in_mib(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(bytes(3 << 20))
    assert usage.disk_mb(tmp_path) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_was_freed_goes_back_to_the_system():
    def held() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

    # the last of many small blocks keeps the allocator from giving back those before it by itself
    blocks = [np.ones(60_000, np.uint8) for _ in range(3000)]
    last, full = blocks[-1], held()
    blocks.clear()
    usage.release()
    assert held() < full - 100
    assert len(last) == 60_000
