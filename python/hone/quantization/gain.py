# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times of the model in float and quantized, on this machine and in turn, and what each layer takes of them."""
import time

import numpy as np

ROUNDS = 5
SECONDS = 0.3  # For each round of each model, approximately.


class Timed:
    """A compiled model with inputs."""

    def __init__(self, model, arrays):
        self._model = model
        self._arrays = arrays
        self._model.run(arrays)
        begin = time.perf_counter()
        self._model.run(arrays)
        self._runs = int(np.clip(SECONDS / max(time.perf_counter() - begin, 1e-7), 3, 1000))
        self.times, self.profiles = [], []

    def round(self):
        for _ in range(self._runs):
            begin = time.perf_counter()
            self._model.run(self._arrays)
            self.times.append(time.perf_counter() - begin)
        self.profiles.append(self._model.profile(self._arrays, runs=self._runs))

    @property
    def seconds(self):
        """A quarter of the runs take less: a loaded machine only ever makes runs slower."""
        return float(np.quantile(self.times, 0.25))

    def by_layer(self, layers, helpers):
        """{layer: seconds}. A step counts for the layers in it; one that has none, and only converts, for those it converts for:
        `helpers` maps nodes to lists of layers."""
        least = {}
        for profile in self.profiles:
            found = dict.fromkeys(layers, 0.0)
            for step in profile.steps:
                owners = [name for name in step.nodes if name in found]
                if not owners and step.nodes and all(name in helpers for name in step.nodes):
                    owners = [layer for name in step.nodes for layer in helpers[name]]
                for owner in owners:
                    found[owner] += step.seconds / len(owners)
            for layer, seconds in found.items():
                least[layer] = min(seconds, least.get(layer, np.inf))
        return least


def measure(models, arrays, progress):
    """A Timed of each compiled model; they run in turn."""
    timed = [Timed(model, arrays) for model in models]
    for number in range(ROUNDS):
        progress("measure", number, ROUNDS)
        for each in timed:
            each.round()
    return timed


def helpers_of(plan, quantized):
    """The layers that each conversion of `quantized` is for."""
    names = {layer.node for layer in plan.layers}
    layers_of = {}
    for value, readers in plan.readers.items():
        # What only sums and poolings read counts for the layers that read these.
        layers_of[value] = [name for name, _ in readers if name in names]
    helpers = {}
    for node in quantized.nodes:
        if node.op_type == "QuantizeLinear":
            helpers[node.name] = layers_of.get(node.input[0], [])
            for reader in quantized.consumers.get(node.output[0], []):
                helpers[reader.name] = helpers[node.name]
    return helpers
