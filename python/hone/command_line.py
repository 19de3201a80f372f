# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the commands in Python share: their errors are told, and sizes given, as those of the other commands."""
import argparse
import re
import sys

import onnx


class Parser(argparse.ArgumentParser):
    """Tells errors as the other commands do."""

    def error(self, message):
        message = re.sub(r"^argument (\S+: (?=--))?", "", message)
        print(f"error: {message}\nnote: '{self.prog} --help' lists the options", file=sys.stderr)
        sys.exit(2)


class Progress:
    """A line on standard error that the next one replaces, if that is a terminal."""

    def __init__(self):
        self._shown = sys.stderr.isatty()

    def __call__(self, stage, done, total):
        if self._shown:
            share = f"{100 * done // total:3d} % of " if total > 1 else ""
            sys.stderr.write(f"\r\033[K{share}{stage}")
            sys.stderr.flush()

    def end(self):
        if self._shown:
            sys.stderr.write("\r\033[K")


def fail(progress, error):
    """Tells of an exception that ends a command; returns the exit code."""
    progress.end()
    if isinstance(error, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
        return 130
    print(f"error: {'out of memory' if isinstance(error, MemoryError) else error}", file=sys.stderr)
    return 1


def _size(text):
    name, equals, size = text.rpartition("=")
    if not (equals and name and size.isdecimal() and int(size) > 0):
        raise argparse.ArgumentTypeError(f"--dim wants NAME=N, not '{text}'")
    return name, int(size)


def _shape(text):
    name, equals, sizes = text.rpartition("=")
    numbers = sizes.split(",") if sizes else []
    if not (equals and name and all(number.isdecimal() for number in numbers)):
        raise argparse.ArgumentTypeError(f"--shape wants NAME=N,N,..., not '{text}'")
    return name, [int(number) for number in numbers]


def add_sizes(parser, meaning):
    """The options --dim and --shape."""
    parser.add_argument("--dim", dest="dims", type=_size, action="append", default=[], metavar="NAME=N", help=f"the size of a free dimension, {meaning}")
    parser.add_argument("--shape", dest="shapes", type=_shape, action="append", default=[], metavar="NAME=N,...", help="the sizes of all dimensions of an input, as in x=1,3,224,224")


def load(model, error, external=True):
    """The model in a file. Raises `error`, with a message."""
    try:
        return onnx.load(model, load_external_data=external)
    except OSError as reason:
        raise error(f"{model}: cannot be read: {reason.strerror or reason}") from None
    except Exception:  # protobuf's
        raise error(f"{model}: not an ONNX model, and this command takes no other; 'hone inspect' says what it is") from None


def dims_of(model, dims, shapes, error):
    """The sizes of free dimensions that `dims` and the `shapes` of inputs of the file `model` give. Raises `error`, with a
    message."""
    sizes = dict(dims)
    if not shapes:
        return sizes
    inputs = {value.name: value.type.tensor_type.shape.dim for value in load(model, error, external=False).graph.input}
    for name, shape in shapes:
        if name not in inputs:
            raise error(f"{model}: the model has no input '{name}'")
        if len(inputs[name]) != len(shape):
            raise error(f"{model}: input '{name}' has {len(inputs[name])} dimensions, and --shape {len(shape)}")
        for i, (dim, size) in enumerate(zip(inputs[name], shape)):
            known = sizes.setdefault(dim.dim_param, size) if dim.dim_param else dim.dim_value
            if known != size:
                raise error(f"{model}: input '{name}' has size {known} in dimension {i}, and --shape {size}")
    return sizes
