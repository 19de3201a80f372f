# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""every_phase.py FOLDER MODEL...: runs every pass, and seeded orders of passes, on the IR of every phase.

The IR is that of the models after each phase, for the CPU and for a GPU, and that of all tests of
passes. A pass may refuse what it does not know: hone-opt then ends with 1 and says why. It must not
end by a signal, which is what an assertion or an access through a missing attribute leads to.
"""
import concurrent.futures
import os
import pathlib
import random
import re
import subprocess
import sys

ORDERS = 40
SEED = 7
SPLIT = "// -----"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def chunks_of_models(models):
    for model in models:
        for phase in ("import", "graph", "linalg", "buffer", "llvm"):
            for target in ("cpu", "cuda"):
                command = ["hone", "compile", model, f"--emit={phase}", f"--target={target}", "--cpu=x86-64-v3"]
                text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                for module in text.split(SPLIT):
                    yield module.partition("\n{-#")[0]  # without resources


def chunks_of_tests():
    for path in sorted([*ROOT.glob("passes/**/*.mlir"), *ROOT.glob("dialects/**/*.mlir")]):
        yield from path.read_text().split(SPLIT)


def run(passes, chunks, folder):
    """Exit code and messages of hone-opt; the chunks have contexts of their own."""
    path = folder / f"{os.getpid()}-{random.getrandbits(64):x}.mlir"
    path.write_text(f"\n{SPLIT}\n".join(chunks))
    command = ["hone-opt", path, "--split-input-file", "-o", os.devnull, *passes]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300)
    path.unlink()
    return result.returncode, result.stderr


def culprit(passes, chunks, folder):
    """One chunk that crashes the process, found by bisection."""
    while len(chunks) > 1:
        half = chunks[: len(chunks) // 2]
        chunks = half if run(passes, half, folder)[0] not in (0, 1) else chunks[len(chunks) // 2 :]
    return chunks[0]


def check(passes, chunks, folder):
    code, messages = run(passes, chunks, folder)
    if code == 0 or (code == 1 and "error:" in messages):
        return None
    chunk = culprit(passes, chunks, folder) if code != 1 else ""
    _, messages = run(passes, [chunk], folder)
    return f"{' '.join(passes)} ended with {code} on\n{chunk.strip()[:1500]}\nand said {messages[:600]}"


def main():
    folder, models = pathlib.Path(sys.argv[1]), sys.argv[2:]
    chunks = [c for c in (*chunks_of_models(models), *chunks_of_tests()) if c.strip()]
    help_text = subprocess.run(["hone-opt", "--help"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^\s+(--hone-[a-z0-9-]+)", help_text, flags=re.MULTILINE)
    source = random.Random(SEED)
    orders = [[name] for name in names] + [source.sample(names, 4) for _ in range(ORDERS)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = [w for w in pool.map(lambda passes: check(passes, chunks, folder), orders) if w]
    print(f"{len(chunks)} pieces of IR, {len(names)} passes, {ORDERS} orders of four, seed {SEED}: {len(wrong)} wrong")
    sys.exit("\n\n".join(wrong) or 0)


if __name__ == "__main__":
    main()
