# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""torch.compile(backend="hone") and exported programs: as torch computes them, or in torch with a warning that says why."""
import unittest
import warnings

try:
    import onnxscript  # noqa: F401
    import torch

    import hone.torch
except ModuleNotFoundError:
    torch = None

X = [[0.5, -1.0, 2.0, 3.0], [1.5, 0.25, -2.0, 1.0], [0.0, 4.0, -0.5, 1.25]]


@unittest.skipUnless(torch, "torch or onnxscript is not installed")
class TorchTest(unittest.TestCase):
    def setUp(self):
        torch._dynamo.reset()
        torch.manual_seed(0)
        torch.backends.mha.set_fastpath_enabled(True)
        self.x = torch.tensor(X)

    def same(self, got, want):
        self.assertEqual((got.dtype, got.shape, got.stride()), (want.dtype, want.shape, want.stride()))
        torch.testing.assert_close(got, want)

    def compare(self, function, *args, torch_runs=None):
        """Compares with torch itself; `torch_runs` is part of why a graph runs there."""
        copies = torch.utils._pytree.tree_map(lambda value: value.clone() if isinstance(value, torch.Tensor) else value, args)
        with torch.no_grad(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            got = torch.compile(function, backend="hone")(*args)
            want = function(*copies)
        reasons = [str(w.message) for w in caught if "not in Hone" in str(w.message)]
        if torch_runs is None:
            self.assertEqual(reasons, [])
        else:
            self.assertTrue(reasons and all(torch_runs in reason for reason in reasons), reasons)
        flat = torch.utils._pytree.tree_leaves
        for a, b in zip(flat((got, args)), flat((want, copies)), strict=True):
            self.same(a, b) if isinstance(b, torch.Tensor) else self.assertEqual(a, b)

    def test_results_of_all_kinds(self):
        self.compare(lambda x: (x.shape[0], x.argmax(1), x > 0, x * 2), self.x)
        self.compare(lambda d: {"a": d["x"] + 1, "b": [d["y"].exp()]}, {"x": self.x, "y": self.x})
        self.compare(lambda x: (lambda y: (y, y))(x * 2), self.x)
        self.compare(lambda x: (x, x + 1), self.x)
        self.compare(lambda x: x.sum(), self.x)
        self.compare(lambda x: x[:0] + 1, self.x)
        self.compare(lambda x, s: x * s, self.x, 2.5)
        self.compare(lambda x, y: x + 1, self.x, self.x)
        self.compare(lambda x: torch.topk(x, 2), self.x)
        for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.int64):
            self.compare(lambda x: x * 3 + 1, self.x.to(dtype))

    def test_results_have_the_strides_of_torch(self):
        self.compare(lambda x: x.t() + 1, self.x)
        last = torch.channels_last
        self.compare(torch.nn.Conv2d(3, 4, 3).to(memory_format=last), torch.randn(1, 3, 8, 8).to(memory_format=last))

    def test_results_share_memory_as_in_torch(self):
        def function(x):
            y = x * 2
            a, b = (x + 1).chunk(2, -1)
            result = y, y.view(-1), y.t(), y[1], a, b
            torch._dynamo.graph_break()
            y.add_(1)
            a.add_(5)
            return result

        self.compare(function, self.x, torch_runs="changes")
        halves = torch.compile(lambda x: (lambda y: (y[:2], y[1:]))(x * 2), backend="hone")
        with torch.no_grad():
            first, second = halves(self.x)
        first.add_(1)
        torch.testing.assert_close(second[0], first[1])

    def test_models(self):
        self.compare(torch.nn.LSTM(4, 5, batch_first=True), torch.randn(2, 3, 4))
        encoder = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
        self.compare(encoder, torch.randn(2, 5, 8), torch_runs="No ONNX function found for <OpOverload(op='aten._transformer_encoder_layer_fwd'")
        torch.backends.mha.set_fastpath_enabled(False)
        self.compare(encoder, torch.randn(2, 5, 8))
        self.compare(lambda q: torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True), torch.randn(1, 2, 5, 8))

    def test_graph_breaks(self):
        self.compare(lambda x: x * x.sum().item(), self.x)
        self.compare(lambda x: x[x > 0] * 2, self.x)

    def test_other_shapes(self):
        layer = torch.nn.Linear(4, 3)
        compiled = torch.compile(layer, backend="hone")
        with torch.no_grad():
            for rows in (1, 3, 8, 1):
                x = torch.randn(rows, 4)
                self.same(compiled(x), layer(x))

    def test_changed_parameters(self):
        layer = torch.nn.Linear(4, 3)
        compiled = torch.compile(layer, backend="hone")
        with torch.no_grad():
            for _ in range(3):
                self.same(compiled(self.x), layer(self.x))
                layer.weight.mul_(2)
            layer.weight = torch.nn.Parameter(torch.randn(3, 4))
            self.same(compiled(self.x), layer(self.x))

    def test_what_runs_in_torch(self):
        self.compare(lambda x: x.add_(1), self.x, torch_runs="changes")
        self.compare(lambda x: (x.mul_(2), x.sum())[1], self.x, torch_runs="changes")
        self.compare(torch.nn.BatchNorm1d(4), self.x, torch_runs="changes")
        self.compare(lambda x: x.view(2, 6).t(), self.x, torch_runs="returns an input")

    def test_training_runs_in_torch(self):
        layer = torch.nn.Linear(4, 2)
        with self.assertWarnsRegex(UserWarning, "not in Hone: it is part of a training step"):
            result = torch.compile(layer, backend="hone")(self.x)
        self.assertTrue(result.requires_grad)

    def test_exported_programs(self):
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).eval()
        program = hone.torch.compile(torch.export.export(model, (self.x,), dynamic_shapes=({0: torch.export.Dim("rows")},)), threads=1)
        for rows in (2, 7):
            x = torch.randn(rows, 4)
            torch.testing.assert_close(program(x), model(x).detach())
        self.assertEqual([value.shape[1] for value in program.model.inputs], [4])
        with self.assertRaisesRegex(TypeError, "nested"):
            program(self.x, self.x)

    def test_programs_that_are_refused(self):
        class Changing(torch.nn.Module):
            def forward(self, x):
                return x.add_(1)

        with self.assertRaisesRegex(ValueError, "changes x"):
            hone.torch.compile(torch.export.export(Changing(), (self.x,)))
        with self.assertRaisesRegex(TypeError, "must be a torch.export.ExportedProgram"):
            hone.torch.compile(Changing())


if __name__ == "__main__":
    unittest.main()
