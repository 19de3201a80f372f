#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a compiled digit classifier on the digits of this folder and shows what it sees.

usage: show.py DIGITS.so
"""
import pathlib
import sys
import time

import hone
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
SHADES = " .:-=+*#%@"


def picture(image):
    """The 8x8 pixels of 0 to 16 as lines of text."""
    shades = (image.reshape(8, 8) * (len(SHADES) - 1) / 16).round().astype(int)
    return ["".join(SHADES[shade] * 2 for shade in row) for row in shades]


def main():
    model = hone.load(sys.argv[1], threads=1)
    rows, texts, wrong = [], [], 0
    for line in (HERE / "labels.txt").read_text().splitlines():
        file, label = line.split()
        image = np.load(HERE / file)
        model.run({"image": image})
        start = time.perf_counter()
        probabilities = model.run({"image": image})["probabilities"][0]
        micros = (time.perf_counter() - start) * 1e6
        digit = int(probabilities.argmax())
        wrong += digit != int(label)
        rows.append(picture(image))
        texts.append([f"looks like {digit}", f"({probabilities[digit]:.1%})", f"written as {label}", f"{micros:.0f} us"])
    for lines in list(zip(*rows)) + list(zip(*texts)):
        print("  ".join(f"{text:<16}" for text in lines).rstrip())
    print(f"{len(rows) - wrong} of {len(rows)} digits recognised")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
