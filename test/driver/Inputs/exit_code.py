# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""exit_code.py N COMMAND...: fails unless the command ends with N, and says why when N is not 0."""
import subprocess
import sys

expected = int(sys.argv[1])
result = subprocess.run(sys.argv[2:], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
sys.stderr.write(result.stderr)
if result.returncode != expected:
    sys.exit(f"ended with {result.returncode}, not {expected}")
if expected and "rror" not in result.stderr and "Unknown" not in result.stderr:
    sys.exit("no message")
