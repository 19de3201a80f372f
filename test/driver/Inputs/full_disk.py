# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""full_disk.py FOLDER MODEL: compiles to file systems that are too small, as far as the link and beyond."""
import pathlib
import subprocess
import sys

folder, model = pathlib.Path(sys.argv[1]), sys.argv[2]
wrong, ends = [], set()
sizes = {*range(100, 900, 40), *range(640, 780, 4), 2000}
archive_sizes = {*range(640, 1300, 30), 2000}
for kilobytes, name in [(size, "out.so") for size in sorted(sizes)] + [(size, "out.a") for size in sorted(archive_sizes)]:
    disk = folder / f"disk-{kilobytes}-{name}"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", disk], check=True)
    try:
        output = disk / name
        result = subprocess.run(["hone", "compile", model, "-o", output], capture_output=True, text=True, timeout=60)
        left = [p.name for p in disk.iterdir()]
        ends.add(result.returncode)
        if (result.returncode, left) != (0, [name]) and (result.returncode, left, "No space left" in result.stderr) != (74, [], True):
            wrong.append(f"{name} on {kilobytes}k: ended with {result.returncode}, left {left}, said {result.stderr!r}")
    finally:
        subprocess.run(["umount", disk], check=True)
if ends != {0, 74}:
    wrong.append(f"ended with {ends}")
sys.exit("\n".join(wrong) or 0)
