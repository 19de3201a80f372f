# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""interrupt.py OUTPUT COMMAND...: interrupts the command soon after its start; it must end with 130 and leave nothing."""
import pathlib
import signal
import subprocess
import sys
import time

output = pathlib.Path(sys.argv[1])
output.unlink(missing_ok=True)
process = subprocess.Popen(sys.argv[2:])
time.sleep(0.5)
process.send_signal(signal.SIGINT)
code = process.wait(timeout=60)
left = [p.name for p in output.parent.iterdir() if output.name in p.name]
if code != 130 or left:
    sys.exit(f"ended with {code}, left {left}")
