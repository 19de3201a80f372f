# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Wrong calls of hone run: expect.py HONE MODEL FOLDER."""
import os
import signal
import subprocess
import sys
import time

hone, model, folder = sys.argv[1:4]
os.chdir(folder)
TINY = [model, "--symbol", "hone_tiny_model"]


def call(arguments, code, message, command="run", env=None):
    words = [hone, command] + arguments
    done = subprocess.run(words, capture_output=True, text=True, env=env and dict(os.environ, **env))
    if done.returncode != code or message not in done.stderr:
        sys.exit(f"{words}\nreturned {done.returncode}, not {code}; stderr, which lacks {message!r}:\n{done.stderr}")


# Wrong usage
call([], 2, "MODEL is required")
call(TINY + ["--frobnicate"], 2, "--frobnicate")
call(TINY + ["--random", "--threads", "0"], 2, "--threads")
call(TINY + ["--input", "x.npy"], 2, "--input wants NAME=FILE.npy, not 'x.npy'")
call(TINY + ["--random", "--dim", "b"], 2, "--dim wants NAME=N, not 'b'")
call(TINY + ["--random", "--dim", "b=-1"], 2, "--dim wants NAME=N, not 'b=-1'")

# The library
call(["no.so"], 1, "cannot load 'no.so': No such file or directory")
call(["text.npy"], 1, "cannot load 'text.npy': it is not a shared library")
call(["."], 1, "cannot load '.': it is not a regular file")
call([model, "--symbol", "other"], 1, "has no symbol 'other'; it exports 'hone_tiny_model'")
with open("/proc/self/maps") as maps:
    libc = next(line.split()[-1] for line in maps if "libc.so" in line)
call([libc], 1, "it is not a compiled model: it has no seal of hone compile")
call(TINY + ["--random", "--device", "0"], 1, "the model has code for the CPU only; compile it with --target=cuda")
call(TINY + ["--random"], 1, "the model has no CPU level 'z80'; it has 'x86-64', 'never'", env={"HONE_CPU": "z80"})

# Inputs
call(TINY, 1, "input 'x' is missing; give --input 'x=FILE.npy' or --random")
call(TINY + ["--input", "y=x.npy"], 1, "the model has no input 'y'")
call(TINY + ["--random", "--dim", "q=3"], 1, "the model has no free dimension 'q'; it has 'b', 'n'")
call(TINY + ["--input", "x=no.npy"], 1, "no.npy: No such file or directory")
call(TINY + ["--input", "x=double.npy"], 1, "double.npy: the model wants float, the file holds 'f8'")
call(TINY + ["--input", "x=structured.npy"], 1, "structured.npy: not a plain array of numbers or strings")
call(TINY + ["--input", "x=text.npy"], 1, "text.npy: not a .npy file")
call(TINY + ["--input", "x=headerless.npy"], 1, "headerless.npy: the file ends within its header")
call(TINY + ["--input", "x=short.npy"], 1, "short.npy: the file is shorter than its shape says")
call(TINY + ["--input", "x=huge.npy"], 1, "huge.npy: ")
call(TINY + ["--random", "--input", "x=wide.npy"], 1, "input 'x': dimension 1 must be 4, not 5")
call(TINY + ["--random", "--input", "x=scalar.npy"], 1, "input 'x' must have rank 2, not 0")
call(TINY + ["--random", "--input", "x=x.npy", "--input", "x=x.npy"], 1, "input 'x' is given twice")
call(TINY + ["--random", "--dim", "b=5000"], 1, "node 'join' (Concat): shapes do not fit together with 'b' = 5000, 'n' = 1")
call(TINY + ["--random", "--dim", "b=99999999999999"], 1, "input 'x' is too large")
call(
    TINY + ["--random", "--input", "x=x.npy", "--input", "index=far.npy"],
    1,
    "node 'pick' (Gather): index 99 is out of range for a size of 8",
)

# Outputs
call(TINY + ["--random", "--dim", "b=2", "--output-dir", "/proc/nowhere"], 74, "cannot make the folder '/proc/nowhere'")
call(TINY + ["--random", "--dim", "b=2", "--output-dir", "/proc"], 74, "cannot write '/proc/twice.npy'")
with open("/dev/full", "w") as full:
    code = subprocess.run([hone, "info"] + TINY, stdout=full, stderr=subprocess.DEVNULL).returncode
assert code == 74, code

# Ctrl-C
process = subprocess.Popen([hone, "bench"] + TINY + ["--seconds", "60"])
time.sleep(0.5)
process.send_signal(signal.SIGINT)
code = process.wait()
assert code == 130, code
