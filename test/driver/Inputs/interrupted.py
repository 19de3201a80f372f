# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""interrupted.py FOLDER COMMAND...: interrupts a command once its first file is in the folder, in which nothing else may be left."""
import os
import pathlib
import signal
import subprocess
import sys

import watched

folder = pathlib.Path(sys.argv[1])
folder.mkdir()


def names():
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


process = subprocess.Popen(sys.argv[2:], stderr=subprocess.PIPE, text=True)
watched.wait_until(names)
process.send_signal(signal.SIGINT)
process.communicate(timeout=60)
watched.wait_until(lambda: not watched.processes(str(folder)))
left = os.listdir(folder)
if process.returncode != 130 or left != names():
    sys.exit(f"ended with {process.returncode}, left {left}")
text = (folder / left[0]).read_text()
if not text.rstrip().endswith(("}", "#-}")):
    sys.exit("the file is not complete")
