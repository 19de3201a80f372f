# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# lit tests: .mlir files run hone-opt or hone, .test files are shell commands.
# ruff: noqa: F821 (config and lit_config are lit's)
import ctypes
import glob
import os
import platform
import shutil
import subprocess
import tempfile

import lit.formats

config.name = "hone"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["unit", "data", "lib", "Inputs"]
config.test_source_root = os.path.join(config.hone_source, "test")
config.test_exec_root = os.path.join(config.hone_build, "test")

path = [os.path.join(config.hone_build, "bin"), config.llvm_tools, os.environ["PATH"]]
config.environment["PATH"] = os.pathsep.join(path)
config.environment["PYTHONPATH"] = os.path.join(config.hone_build, "python")
config.environment["HOME"] = os.environ.get("HOME", "/")
# The assembler for NVIDIA GPUs: named, in PATH, of an installed toolkit, or of tools/setup.
installed = glob.glob(os.path.join(config.hone_source, ".venv/lib/python3*/site-packages/nvidia/*/bin/ptxas"))
ptxas = next(filter(None, [os.environ.get("HONE_PTXAS"), shutil.which("ptxas"), *glob.glob("/usr/local/cuda/bin/ptxas"), *installed]), None)
if ptxas:
    config.environment["HONE_PTXAS"] = ptxas
    config.available_features.add("ptxas")
# What is said where there is no driver can be seen only there.
try:
    ctypes.CDLL("libcuda.so.1")
except OSError:
    config.available_features.add("no-cuda-driver")

# A file system of one's own size takes the rights to mount it.
with tempfile.TemporaryDirectory() as folder:
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode == 0:
        subprocess.run(["umount", folder], check=True)
        config.available_features.add("tmpfs")

config.substitutions += [
    ("%venv_bin", os.path.dirname(config.hone_python)),
    ("%python", config.hone_python),
    ("%cmake", config.hone_cmake),
    ("%cxx", config.hone_cxx),
    ("%cc", config.hone_cc),
    ("%build", config.hone_build),
    ("%llvm_libs", os.path.join(os.path.dirname(config.llvm_tools), "lib")),
    ("%source", config.hone_source),
    ("%data", os.path.join(config.hone_source, "test", "data")),
]

if config.hone_sanitize:
    config.available_features.add("sanitizer")
if platform.machine() == "x86_64":
    config.available_features.add("x86_64")
    # CPU levels that this machine can run, as `--cpu=` names them.
    with open("/proc/cpuinfo") as info:
        flags = set(next(line for line in info if line.startswith("flags")).split())
    if {"avx2", "fma", "bmi2"} <= flags:
        config.available_features.add("x86-64-v3")
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
        config.available_features.add("x86-64-v4")
