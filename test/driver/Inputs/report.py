# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""report.py PAGE.html EXPRESSION...: fails unless each expression holds. `data` and `bench` are the blocks of the page;
`edges` has each edge as (from, to), by names of inputs, steps and outputs."""
import json
import re
import sys

page = open(sys.argv[1], encoding="utf-8").read()
data, bench = (json.loads(re.search(f'<script type="application/json" id="{name}">(.*?)</script>', page, re.S).group(1)) for name in ("data", "profile"))


def end(edge, step, value, values):
    return data["steps"][edge[step]]["name"] if step in edge else data[values][edge[value]]["name"]


edges = [(end(edge, "from", "input", "inputs"), end(edge, "to", "output", "outputs")) for edge in data["edges"]]
step_of = {step["name"]: step for step in data["steps"]}
for expression in sys.argv[2:]:
    if not eval(expression):
        sys.exit(f"not so: {expression}\n{json.dumps(data, indent=1)}\n{edges}")
