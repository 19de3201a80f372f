#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains the bundled digit classifier and writes model.onnx, digit-*.npy and labels.txt.

A small convolutional network on the handwritten digits that scikit-learn ships
(8x8 pixels of 0 to 16), trained with numpy alone. Needs numpy, onnx, scikit-learn.
"""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

HERE = pathlib.Path(__file__).resolve().parent
CHANNELS = (16, 32)
EPOCHS = 40
BATCH = 32


def patches(x):
    """The 3x3 neighbourhoods of a zero-padded [n, h, w, c] batch: [n, h, w, 9 c]."""
    n, h, w, c = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    parts = [padded[:, i : i + h, j : j + w] for i in range(3) for j in range(3)]
    return np.concatenate(parts, axis=-1)


def patches_backward(grad, c):
    """Adds the gradients of the neighbourhoods back onto the pixels."""
    n, h, w, _ = grad.shape
    padded = np.zeros((n, h + 2, w + 2, c), np.float32)
    for k in range(9):
        i, j = divmod(k, 3)
        padded[:, i : i + h, j : j + w] += grad[..., k * c : (k + 1) * c]
    return padded[:, 1:-1, 1:-1]


def blocks(x):
    """[n, h, w, c] as 2x2 blocks: [n, h/2, w/2, c, 4]."""
    n, h, w, c = x.shape
    x = x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4)
    return x.reshape(n, h // 2, w // 2, c, 4)


def blocks_backward(grad):
    n, h, w, c, _ = grad.shape
    grad = grad.reshape(n, h, w, c, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    return grad.reshape(n, 2 * h, 2 * w, c)


class Network:
    """conv 3x3, relu, max pool, twice; then one linear layer."""

    def __init__(self, rng):
        self.parameters = []
        before = 1
        for after in CHANNELS:
            scale = np.sqrt(2 / (9 * before))
            self.parameters += [rng.normal(0, scale, (9 * before, after)), np.zeros(after)]
            before = after
        self.parameters += [rng.normal(0, np.sqrt(1 / (4 * before)), (4 * before, 10)), np.zeros(10)]
        self.parameters = [p.astype(np.float32) for p in self.parameters]

    def forward(self, x):
        self.saved = []
        for layer in range(2):
            weight, bias = self.parameters[2 * layer : 2 * layer + 2]
            columns = patches(x)
            active = np.maximum(columns @ weight + bias, 0)
            quads = blocks(active)
            self.saved.append((columns, active, quads))
            x = quads.max(-1)
        self.flat = x.reshape(len(x), -1)
        return self.flat @ self.parameters[4] + self.parameters[5]

    def backward(self, grad):
        gradients = [None] * 4 + [self.flat.T @ grad, grad.sum(0)]
        grad = (grad @ self.parameters[4].T).reshape(-1, 2, 2, CHANNELS[1])
        for layer in (1, 0):
            columns, active, quads = self.saved[layer]
            chosen = np.eye(4, dtype=np.float32)[quads.argmax(-1)]
            grad = blocks_backward(chosen * grad[..., None]) * (active > 0)
            flat = grad.reshape(-1, grad.shape[-1])
            gradients[2 * layer] = columns.reshape(len(flat), -1).T @ flat
            gradients[2 * layer + 1] = flat.sum(0)
            if layer:
                grad = patches_backward(grad @ self.parameters[2].T, CHANNELS[0])
        return gradients


def train(images, labels, rng):
    network = Network(rng)
    first = [np.zeros_like(p) for p in network.parameters]
    second = [np.zeros_like(p) for p in network.parameters]
    step = 0
    for epoch in range(EPOCHS):
        rate = 2e-3 * (0.5 + 0.5 * np.cos(np.pi * epoch / EPOCHS))
        order = rng.permutation(len(images))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            # A shift by up to one pixel: the writer's hand never centres exactly.
            dy, dx = rng.integers(-1, 2, 2)
            batch = np.roll(images[chosen], (dy, dx), (1, 2))
            logits = network.forward(batch)
            p = np.exp(logits - logits.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            p[np.arange(len(chosen)), labels[chosen]] -= 1
            gradients = network.backward((p / len(chosen)).astype(np.float32))
            step += 1
            for parameter, gradient, m, v in zip(network.parameters, gradients, first, second):
                m += 0.1 * (gradient - m)
                v += 0.001 * (gradient * gradient - v)
                parameter -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return network


def export(network, path):
    """The graph works on the raw 0..16 pixels of one digit, channels first as ONNX has it."""
    weights, nodes = {"scale": np.array(1 / 16, np.float32)}, []
    nodes.append(helper.make_node("Mul", ["image", "scale"], ["scaled"], name="scale"))
    x, before = "scaled", 1
    for layer, after in enumerate(CHANNELS, 1):
        weight, bias = network.parameters[2 * layer - 2 : 2 * layer]
        weights[f"conv{layer}.weight"] = weight.reshape(3, 3, before, after).transpose(3, 2, 0, 1)
        weights[f"conv{layer}.bias"] = bias
        inputs = [x, f"conv{layer}.weight", f"conv{layer}.bias"]
        nodes += [
            helper.make_node("Conv", inputs, [f"c{layer}"], name=f"conv{layer}", kernel_shape=[3, 3], pads=[1] * 4),
            helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"], name=f"relu{layer}"),
            helper.make_node("MaxPool", [f"r{layer}"], [f"p{layer}"], name=f"pool{layer}", kernel_shape=[2, 2], strides=[2, 2]),
        ]
        x, before = f"p{layer}", after
    # The linear layer was trained on channels-last pixels.
    weights["linear.weight"] = network.parameters[4].reshape(2, 2, before, 10).transpose(2, 0, 1, 3).reshape(-1, 10)
    weights["linear.bias"] = network.parameters[5]
    nodes += [
        helper.make_node("Flatten", [x], ["flat"], name="flatten"),
        helper.make_node("Gemm", ["flat", "linear.weight", "linear.bias"], ["logits"], name="linear"),
        helper.make_node("Softmax", ["logits"], ["probabilities"], name="softmax", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(np.ascontiguousarray(w), name) for name, w in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main():
    rng = np.random.default_rng(0)
    digits = load_digits()
    images = digits.images.astype(np.float32)[..., None]
    labels = digits.target
    order = rng.permutation(len(images))
    tested, trained = order[:360], order[360:]
    network = train(images[trained] / 16, labels[trained], rng)
    right = network.forward(images[tested] / 16).argmax(1) == labels[tested]
    print(f"test accuracy {right.mean():.4f} on {len(tested)} digits, trained on {len(trained)}")
    export(network, HERE / "model.onnx")

    # One tested digit of each of a few classes as inputs.
    lines = []
    for index, label in enumerate((3, 0, 7, 4, 9)):
        chosen = next(i for i in tested if labels[i] == label)
        np.save(HERE / f"digit-{index}.npy", images[chosen].transpose(2, 0, 1)[None])
        lines.append(f"digit-{index}.npy {label}\n")
    (HERE / "labels.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
