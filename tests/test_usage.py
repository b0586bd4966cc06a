import numpy as np

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
