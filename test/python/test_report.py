# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The page of `hone.compile(..., report=)`: its data, and in a headless Chromium what it shows and how it answers."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import numpy as np
from onnx import helper, numpy_helper

import hone
from test_model import DIGITS, float_info, graph_model

CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)

HOSTILE = [
    "</script><script>document.title = 'taken'</script>",
    "<!--<script>",
    "\"><img src=x onerror=\"document.title = 'taken'\">",
    "'\\u0041\\\"&lt;\n\t\0",
    "\u2028\u202eabc\u200b",
    "é" * 100000,
]


def hostile_model():
    """Everything that has a name has a hostile one."""
    nodes, names = [], ["in" + HOSTILE[0]]
    for i, name in enumerate(HOSTILE):
        names.append(f"{name}{i}")
        nodes.append(helper.make_node("MatMul", [names[-2], "w" + HOSTILE[2]], [names[-1]], name=name))
    weights = [numpy_helper.from_array(np.ones((4, 4), np.float32), "w" + HOSTILE[2])]
    model = graph_model(nodes, [float_info(names[0], (HOSTILE[2], 4))], [float_info(names[-1], (HOSTILE[2], 4))], weights)
    helper.set_model_props(model, {HOSTILE[0]: HOSTILE[1]})
    return model


def long_model(length):
    """So many products and what branches off them."""
    rng = np.random.default_rng(5)
    weights = [numpy_helper.from_array(rng.standard_normal((8, 8)).astype(np.float32), "w")]
    nodes, last, kept = [], "x", []
    for i in range(length):
        nodes.append(helper.make_node("MatMul", [last, "w"], [f"m{i}"], name=f"part{i // 10}/product{i}"))
        last = f"m{i}"
        kept.append(last)
        if i % 10 == 9:
            nodes.append(helper.make_node("Concat", [last, kept[rng.integers(max(0, i - 40), i)]], [f"c{i}"], axis=0, name=f"part{i // 10}/joined"))
            nodes.append(helper.make_node("ReduceMax", [f"c{i}"], [f"r{i}"], axes=[0], keepdims=1, name=f"part{i // 10}/most"))
            last = f"r{i}"
    return graph_model(nodes, [float_info("x", (4, 8))], [float_info(last, (4, 8) if length % 10 else (1, 8))], weights)


def data_of(page):
    return json.loads(re.search('<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1))


class PageTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(folder.name, "page.html")

    def page(self, model, **options):
        hone.compile(model, report=self.path, **options).close()
        with open(self.path, encoding="utf-8") as file:
            return file.read()


class ReportTest(PageTest):
    def test_a_page_is_written(self):
        data = data_of(self.page(str(DIGITS / "model.onnx")))
        self.assertEqual(([value["name"] for value in data["inputs"]], len(data["steps"])), (["image"], 12))
        with self.assertRaises(TypeError):
            hone.compile(str(DIGITS / "model.onnx"), report=3)
        with self.assertRaises(OSError):
            hone.compile(str(DIGITS / "model.onnx"), report=os.path.join(self.folder, "missing", "page.html"))

    def test_hostile_names_are_data(self):
        page = self.page(hostile_model())
        data = data_of(page)
        names = [node[0] for node in data["nodes"]]
        for name in HOSTILE[:-1]:
            self.assertIn(name, names)
        self.assertTrue(any(name.startswith("é" * 200) and len(name) < 600 for name in names))
        plain = self.page(str(DIGITS / "model.onnx"))
        for tag in "<script", "</script", "<!--", "<img":
            self.assertEqual(page.count(tag), plain.count(tag), tag)
        self.assertLess(len(page), 3 * len(plain))


@unittest.skipUnless(CHROMIUM, "chromium is not installed")
class BrowserTest(PageTest):
    def shown(self, page, script=""):
        """The page's elements as text after it has run, followed by a script that may set attributes of `out`."""
        page = page.replace("</body>", f"<script>{{ const out = document.documentElement.dataset; out.title = document.title;{script} }}</script></body>")
        path = os.path.join(self.folder, "shown.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write(page)
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={self.folder}/profile", "--enable-logging=stderr"]
        # A sanitizer is for Hone's code; the browser would not start with it.
        env = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        result = subprocess.run([*command, "--dump-dom", f"file://{path}"], capture_output=True, text=True, timeout=120,
                                env={**env, "HOME": self.folder})
        self.assertEqual([line for line in result.stderr.splitlines() if "CONSOLE" in line], [])
        self.assertIn("<html", result.stdout)
        root = re.search("<html[^>]*>", result.stdout).group(0)
        return result.stdout, dict(re.findall('data-([a-z]+)="([^"]*)"', root))

    def test_what_is_shown(self):
        page = self.page(str(DIGITS / "model.onnx"))
        dom, out = self.shown(page, """
            out.boxes = document.querySelectorAll('.box.kernel').length; out.rows = document.querySelectorAll('tbody tr').length;
            out.buffers = document.querySelectorAll('.buffer').length; out.peak = document.querySelector('text.peak').textContent;
            out.first = document.querySelector('tbody td.code').textContent; out.details = byId('details').textContent;""")
        data = data_of(page)
        self.assertEqual((out["boxes"], out["rows"], out["buffers"]), ("12", "12", str(len(data["slots"]))))
        self.assertIn("5.12 kB in use in step 2", out["peak"])
        self.assertEqual(out["first"], "k3_conv_map")
        for text in "conv2", "fma f32 x f32 -&gt; f32", "schedule", "148 kFLOP":
            self.assertIn(text, out["details"])
        for text in "ai.onnx 17", "27.3 kB", "there are no vectors", "float[1, 10]":
            self.assertIn(text, dom)

    def test_measured_times(self):
        page = self.page(str(DIGITS / "model.onnx"))
        rows = [{"step": i, "name": f"k{i}", "launches": 1, "ms": ms, "share": ms / 4, "flop": 1000, "bytes": 2000, "gflops": 1.5, "gbps": 2.5, "bound": "memory", "of_bound": 0.5} for i, ms in ((5, 3), (2, 1))]
        bench = {"threads": 2, "level": "native", "device": None, "dims": {"b": 4}, "profile": {"runs": 3, "all_runs": 6, "run_ms": 4, "steps": rows, "peak": {"gflops": 100, "gbps": 20}}}
        dom, out = self.shown(page.replace('id="profile">null', 'id="profile">' + json.dumps(bench)), """
            out.rows = [...document.querySelectorAll('tbody tr')].slice(0, 3).map(row => [...row.children].slice(1, 5).map(cell => cell.textContent)).join(';');
            out.cost = document.querySelector('.box.selected .cost').textContent; out.details = byId('details').textContent;""")
        self.assertEqual(out["rows"], "k5_transpose,MaxPool,3.00 ms,75.0 %;k2_pool,MaxPool,1.00 ms,25.0 %;k0_map,Mul,–,0.0 %")
        self.assertEqual(out["cost"], "3.00 ms")
        for text in "3.00 ms, 75.0 % of a run", "50.0 % of memory", "2.5 GB/s":
            self.assertIn(text, out["details"])
        for text in "4.00 ms a run", "2 threads, native, b = 4", "100 GFLOP/s, 20.0 GB/s":
            self.assertIn(text, dom)

    def test_selecting_sorting_and_searching(self):
        _, out = self.shown(self.page(str(DIGITS / "model.onnx")), """
            document.querySelector('tbody tr:nth-child(2)').click();
            out.details = byId('details').querySelector('h3').textContent; out.box = document.querySelector('.box.selected .kernel').textContent;
            [...document.querySelectorAll('th')].find(each => each.textContent === 'bytes').click();
            out.sorted = document.querySelector('tbody td.code').textContent;
            byId('search').value = 'softmax'; byId('search').dispatchEvent(new Event('input'));
            out.hits = byId('hits').textContent; out.rows = document.querySelectorAll('tbody tr').length;
            byId('search').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter'}));
            out.found = byId('details').querySelector('.name').textContent;
            document.querySelector('.buffer').dispatchEvent(new MouseEvent('click'));
            out.written = byId('details').querySelector('.name').textContent;
            const before = view.scale; byId('zoom-in').click(); out.zoomed = view.scale > before; byId('fit').click(); out.fits = view.scale < 1;""")
        self.assertEqual((out["details"], out["box"]), ("Conv, Relu", "k1_conv_map"))
        self.assertEqual((out["sorted"], out["hits"], out["rows"], out["found"]), ("k3_conv_map", "5 results", "5", "k7_reduce"))
        self.assertEqual((out["written"], out["zoomed"], out["fits"]), ("k0_map", "true", "true"))

    def test_hostile_names_are_shown(self):
        dom, out = self.shown(self.page(hostile_model()), "out.steps = allSteps.length; out.images = document.querySelectorAll('img').length;")
        self.assertEqual((out["title"], out["steps"], out["images"]), ("model – Hone report", str(len(HOSTILE)), "0"))
        self.assertIn("&lt;/script&gt;&lt;script&gt;document.title", dom)
        self.assertIn("\\u2028\\u202eabc\\u200b", dom)

    def test_a_thousand_kernels(self):
        _, out = self.shown(self.page(long_model(840)), """
            out.steps = allSteps.length; const xs = graph.boxes.map(node => node.x + ' ' + node.y).join(); const again = layOut();
            out.same = again.boxes.map(node => node.x + ' ' + node.y).join() === xs;
            let overlaps = 0; const rows = new Map();
            for (const node of graph.boxes) { const row = rows.get(node.layer) || []; row.push(node.x); rows.set(node.layer, row); }
            for (const row of rows.values()) { row.sort((a, b) => a - b); row.forEach((x, i) => { if (i && x - row[i - 1] < box.width) ++overlaps; }); }
            out.overlaps = overlaps; out.down = graph.lines.every(line => line.from.layer < line.to.layer);
            const start = performance.now(); for (let i = 0; i < 10; ++i) { zoom(i % 2 ? 1.1 : 0.9); document.body.offsetHeight; }
            out.ms = (performance.now() - start) / 10;""")
        self.assertGreaterEqual(int(out["steps"]), 1000)
        self.assertEqual((out["same"], out["overlaps"], out["down"]), ("true", "0", "true"))
        self.assertLess(float(out["ms"]), 500)

    def test_nothing_is_computed(self):
        model = graph_model([helper.make_node("Identity", ["x"], ["y"])], [float_info("x", (2,))], [float_info("y", (2,))])
        _, out = self.shown(self.page(model), "out.rows = document.querySelectorAll('tbody tr').length;")
        self.assertEqual(out["title"], "model – Hone report")


if __name__ == "__main__":
    unittest.main()
