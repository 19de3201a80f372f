# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hone in the form of onnx.backend.base.Backend; needs the onnx package.

    import hone.backend
    outputs = hone.backend.prepare(model_proto).run([x, y])
"""
import numpy as np
import onnx
from onnx import helper, shape_inference
from onnx.backend.base import Backend, BackendRep, Device, DeviceType, namedtupledict

import hone


class HoneBackendRep(BackendRep):
    """A compiled model that takes its inputs in order."""

    def __init__(self, model):
        self.model = model

    def run(self, inputs, **kwargs):
        """The outputs in the model's order; inputs are a list in its order, or a dict."""
        if not isinstance(inputs, dict):
            if not isinstance(inputs, (list, tuple)):
                inputs = [inputs]
            names = [value.name for value in self.model.inputs]
            if len(inputs) > len(names):
                raise hone.RunError(f"{len(inputs)} inputs given, the model has {len(names)}")
            inputs = dict(zip(names, inputs))
        outputs = self.model.run(inputs)
        return [outputs[value.name] for value in self.model.outputs]


class HoneBackend(Backend):
    @classmethod
    def is_compatible(cls, model, device="CPU", **kwargs):
        return cls.supports_device(device)

    @classmethod
    def supports_device(cls, device):
        return Device(device).type == DeviceType.CPU

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        """Compiles a ModelProto, or the file of that name; other arguments are options of hone.compile."""
        if not cls.supports_device(device):
            raise ValueError(f"device {device} is not supported")
        return HoneBackendRep(hone.compile(model, **kwargs))

    @classmethod
    def run_model(cls, model, inputs, device="CPU", **kwargs):
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(cls, node, inputs, device="CPU", outputs_info=None, **kwargs):
        """Runs one node; outputs_info are (element type, shape) pairs, inferred when not given."""
        opset = kwargs.pop("opset_version", onnx.defs.onnx_opset_version())
        arrays = [np.asarray(value) for value in inputs]
        names = [name for name in node.input if name]
        values = [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for n, a in zip(names, arrays)
        ]
        present = [name for name in node.output if name]
        if outputs_info is not None:
            results = [
                helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
                for n, (dtype, shape) in zip(present, outputs_info)
            ]
        else:
            results = [onnx.ValueInfoProto(name=name) for name in present]
        graph = helper.make_graph([node], "node", values, results)
        imports = [helper.make_opsetid(node.domain, opset)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=10)
        if outputs_info is None:
            model = shape_inference.infer_shapes(model)
        outputs = cls.run_model(model, arrays, device, **kwargs)
        return namedtupledict("Outputs", present)(*outputs)


is_compatible = HoneBackend.is_compatible
prepare = HoneBackend.prepare
run_model = HoneBackend.run_model
run_node = HoneBackend.run_node
supports_device = HoneBackend.supports_device
