# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What packed graphs and models are timed beside: torch, with cuBLAS and cuDNN below it, and ONNX
Runtime, where they are installed; and numpy, for results where torch is not."""
import functools

import numpy as np

TYPES = {"f32": 1, "f16": 10, "bf16": 16}


def torch_peers(entry, feeds):
    """{name: function} of torch on the same values, and the function of its result; nothing
    where it is not installed or has no device."""
    try:
        import torch
        import torch.nn.functional as functional
    except ImportError:
        return {}, None
    if not torch.cuda.is_available():
        return {}, None
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cudnn.benchmark = True
    kind, sizes = entry["type"], entry["sizes"]

    def tensor(array):
        on_device = torch.from_numpy(array.view(np.int16) if kind == "bf16" else array).cuda()
        return on_device.view(torch.bfloat16) if kind == "bf16" else on_device

    def waiting(function, *arguments):
        def call():
            function(*arguments)
            torch.cuda.synchronize()

        return call

    def replaying(function, *arguments):
        """Without the cost of launches, as a session of ours replays what it recorded."""

        @functools.cache
        def recorded():
            for _ in range(3):
                function(*arguments)
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                function(*arguments)
            return graph

        def call():
            recorded().replay()
            torch.cuda.synchronize()

        return call

    given = [tensor(feeds[name]) for name in [*entry["inputs"], *entry["constants"]]]
    compute = {
        "matmul": lambda a, b: a @ b,
        "linear": lambda a, b: a @ b,
        "conv": lambda x, w: functional.conv2d(x, w, None, sizes["s"], sizes["k"] // 2, 1, sizes["g"]),
        "attention": lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=bool(sizes["causal"])),
    }[entry["family"]]
    torch.compiler.reset()
    peers = {
        "torch": waiting(compute, *given),
        "torch, replayed": replaying(compute, *given),
        "torch.compile": waiting(torch.compile(compute, dynamic=False), *given),
    }
    if entry["family"] == "conv":
        last = [t.contiguous(memory_format=torch.channels_last) for t in given]
        peers["torch, channels last"] = replaying(compute, *last)
    return peers, lambda: compute(*given).float().cpu().numpy()


def plain(entry, feeds, narrow):
    """The result by numpy, if there is no torch; None if it would take long."""
    if entry["flops"] > 1e9:
        return None
    sizes, number = entry["sizes"], TYPES[entry["type"]]
    given = [narrow.array(number, feeds[n].shape, feeds[n].tobytes()).astype(np.float64) for n in [*entry["inputs"], *entry["constants"]]]
    if entry["family"] == "conv":
        x, w = given
        groups, size = sizes["g"], (sizes["k"], sizes["k"])
        padded = np.pad(x, [(0, 0), (0, 0)] + [(sizes["k"] // 2,) * 2] * 2)
        windows = np.lib.stride_tricks.sliding_window_view(padded, size, (2, 3))[:, :, :: sizes["s"], :: sizes["s"]]
        parts = zip(np.split(windows, groups, 1), np.split(w, groups, 0))
        return np.concatenate([np.einsum("nchwij,ocij->nohw", *part, optimize=True) for part in parts], 1)
    if entry["family"] == "attention":
        q, k, v = given
        scores = q @ k.swapaxes(2, 3) / np.sqrt(sizes["d"])
        if sizes["causal"]:
            scores = np.where(np.tri(sizes["s"], dtype=bool), scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        return scores / scores.sum(-1, keepdims=True) @ v
    return given[0] @ given[1]


def onnxruntime_peer(name, feeds, folder):
    """ONNX Runtime on the device, if it is installed for one and has the model's file."""
    path = folder / f"{name}.onnx" if folder else None
    try:
        import onnxruntime
    except ImportError:
        return {}
    if not path or not path.exists() or "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return {}

    @functools.cache
    def bound():
        session = onnxruntime.InferenceSession(path, providers=["CUDAExecutionProvider"])
        binding = session.io_binding()
        for key, array in feeds.items():
            binding.bind_ortvalue_input(key, onnxruntime.OrtValue.ortvalue_from_numpy(array, "cuda", 0))
        for output in session.get_outputs():
            binding.bind_output(output.name, "cuda")
        return session, binding

    def call():
        session, binding = bound()
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return {"onnxruntime": call}


def working(peers):
    """Those that can run, with a line about each that cannot."""
    found = {}
    for name, call in peers.items():
        try:
            call()
            found[name] = call
        except Exception as e:  # noqa: BLE001: a peer's trouble is not ours
            print(f"  {name} fails: {' '.join(str(e).split())[:160]}")
    return found
