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
call(TINY + ["--input", "x.npy"], 2, "--input wants NAME=FILE, not 'x.npy'; the names are 'x', 'index', 'table', 'extra'")
call(TINY + ["--random", "--range", "x"], 2, "--range wants NAME=LOW..HIGH, not 'x'")
for wrong in ("x=", "x=..", "x=1..", "x=2..1", "x=nan", "x=0..inf", "x=0..1..2", "x=a..b"):
    call(TINY + ["--random", "--range", wrong], 2, f"--range wants NAME=LOW..HIGH, not '{wrong}'")
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
call(
    TINY + ["--input", "index=index.npy"],
    1,
    "inputs are missing: 'x' (float[b,4]), 'table' (sequence(float)); give --input NAME=FILE for each, "
    "a folder or a .npz file with all of them, or --random",
)
call(TINY + ["--input", "y=x.npy"], 1, "the model has no input 'y'; it has 'x', 'index', 'table', 'extra'")
call(TINY + ["--random", "--dim", "q=3"], 1, "the model has no free dimension 'q'; it has 'b', 'n'")
call(TINY + ["--random", "--shape", "q=3"], 1, "the model has no input 'q'")
call(TINY + ["--random", "--shape", "x=3"], 1, "input 'x' has 2 dimensions, and --shape 1")
call(TINY + ["--random", "--shape", "x=3,5"], 1, "input 'x' has size 4 in dimension 1, and --shape 5")
call(TINY + ["--random", "--shape", "x=3,4", "--dim", "b=2"], 1, "input 'x' has size 2 in dimension 0, and --shape 3")
call(TINY + ["--random", "--shape", "x=3,4", "--shape", "x=3,4"], 1, "input 'x' has two shapes")
call(TINY + ["--random", "--shape", "table=3"], 1, "input 'table' is not a tensor, and has no shape")
call(TINY + ["--random", "--shape", "x=3,4", "--input", "x=x.npy"], 1, "input 'x' has a file, and needs no --shape")
call(TINY + ["--random", "--shape", "x=99999999999999,4"], 1, "input 'x' is too large")
call(TINY + ["--input", "x=no.npy"], 1, "no.npy: No such file or directory")
call(TINY + ["--input", "x=double.npy"], 1, "double.npy: the model has float, the file holds 'f8'")
call(TINY + ["--input", "x=structured.npy"], 1, "structured.npy: not a plain array of numbers or strings")
call(TINY + ["--input", "x=text.npy"], 1, "text.npy: not a .npy, .npz or .pb file")
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


# Files with several inputs
call(TINY + ["--random", "--input", "cut.npz"], 1, "cut.npz: not a .npz file, or truncated: its directory cannot be read")
call(TINY + ["--random", "--input", "one.npz"], 1, "one.npz: it holds 'arr_0', and the model's inputs are 'x', 'index'")
call(TINY + ["--random", "--input", "index=gap.npz"], 1, "gap.npz: it holds 'table.0', 'table.2', and nothing for 'index'")
call(TINY + ["--random", "--input", "gap.npz"], 1, "input 'table' lacks its part '1', in a file or array 'table.1'")
call(TINY + ["--random", "--input", "index=one.npz"], 1, "one.npz: 'arr_0': the model has int64, the file holds 'f4'")
call(TINY + ["--random", "--input", "all.npz", "--input", "x=x.npy"], 1, "input 'x' is given twice")
call(TINY + ["--random", "--input", "x=set"], 1, "set: a folder has the names of values in its files; give it without 'x='")
call(TINY + ["--random", "--input", "empty"], 1, "empty: no file in it is for an input of the model; it should have input_0.pb")
call(TINY + ["--random", "--input", "many"], 1, "many/input_4.pb: the model has 4 inputs for such files, from number 0")
call(TINY + ["--random", "--input", "table=set/input_0.pb"], 1, "set/input_0.pb: its elements are not what the model has")
call(TINY + ["--random", "--input", "index=set/input_0.pb"], 1, "set/input_0.pb: the model has int64, the file holds float")
call(TINY + ["--random", "--input", "x=text.pb"], 1, "text.pb: not an ONNX value, or truncated: ")

# Ranges
call(TINY + ["--random", "--range", "y=1..2"], 1, "the model has no input 'y'")
call(TINY + ["--random", "--range", "index=0..0.5"], 1, "input 'index' has whole numbers: int64")
call(TINY + ["--random", "--range", "x=0..1e39"], 1, "input 'x' holds -3.4028234663852885981e+38 to 3.4")
call(TINY + ["--random", "--range", "x=1", "--range", "x=2"], 1, "input 'x' has two ranges")
call(TINY + ["--random", "--range", "x=1", "--input", "x=x.npy"], 1, "input 'x' has a file, and needs no --range")

# Outputs
call(TINY + ["--random", "--dim", "b=2", "--output-dir", "/proc/nowhere"], 74, "cannot make the folder '/proc/nowhere'")
call(TINY + ["--random", "--dim", "b=2", "--output-dir", "/proc"], 74, "cannot write '/proc/twice.npy'")
call(TINY + ["--random", "--dim", "b=2", "--expect", "no"], 1, "no: No such file or directory")
call(TINY + ["--random", "--dim", "b=2", "--expect", "x=x.npy"], 1, "the model has no output 'x'; it has 'twice', 'picked'")
call(TINY + ["--random", "--dim", "b=2", "--expect", "x.npy"], 2, "--expect wants NAME=FILE, not 'x.npy'")
call(TINY + ["--random", "--dim", "b=2", "--expect", "all.npz"], 1, "and the model's outputs are 'twice', 'picked'")
call(TINY + ["--random", "--dim", "b=2", "--expect", "twice=double.npy"], 1, "double.npy: the model has float, the file holds 'f8'")
call(TINY + ["--random", "--dim", "b=2", "--expect", "empty"], 1, "empty: no file in it is for an output of the model")
call(TINY + ["--random", "--atol", "1"], 2, "--atol requires --expect")
call(TINY + ["--random", "--expect", "twice=x.npy", "--rtol", "-1"], 2, "--rtol")
with open("/dev/full", "w") as full:
    code = subprocess.run([hone, "info"] + TINY, stdout=full, stderr=subprocess.DEVNULL).returncode
assert code == 74, code

# Ctrl-C
process = subprocess.Popen([hone, "bench"] + TINY + ["--seconds", "60"])
time.sleep(0.5)
process.send_signal(signal.SIGINT)
code = process.wait()
assert code == 130, code
