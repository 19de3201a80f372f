# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a tuning file with one schedule for all operations of all kernels that a compile listed.

usage: make_tuning.py LIST OUT FIELD=NUMBER... [--gain RATIO] [--machine TEXT]
"""
import argparse
import json


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("list")
    parser.add_argument("out")
    parser.add_argument("fields", nargs="*", default=[], help="of the schedule")
    parser.add_argument("--gain", type=float, default=1.5)
    parser.add_argument("--machine")
    arguments = parser.parse_args()
    with open(arguments.list) as file:
        listed = json.load(file)
    fields = {name: json.loads(value) for name, value in (field.split("=") for field in arguments.fields)}
    kernels = [
        {
            "key": kernel["key"],
            "name": kernel["name"],
            "schedules": [{**operation["schedule"], **fields} for operation in kernel["operations"]],
            "measured": {"untuned_us": 10 * arguments.gain, "tuned_us": 10, "runs": 7},
        }
        for kernel in listed["kernels"]
    ]
    machine = arguments.machine or listed["machine"]
    with open(arguments.out, "w") as file:
        json.dump({"hone_tuning": 1, "machines": [{"machine": machine, "kernels": kernels}]}, file)


if __name__ == "__main__":
    main()
