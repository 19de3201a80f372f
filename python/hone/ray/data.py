# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled models over datasets of Ray Data:

    hone.ray.data.predict("images.parquet", "model.so", columns={"x": "image"}).write_parquet("results")
"""
from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy
import ray.data

from .. import arguments
from ..errors import ArgumentValueError
from ..model import Model, Value
from .measured import Measured


def predict(source: ray.data.Dataset | arguments.Path, model: Model | arguments.Path, *, columns: Mapping[str, str] | None = None, batch_size: int = 64, threads: int = 1, **options: Any) -> ray.data.Dataset:
    """The dataset with a column for each output of the model; nothing is run before it is read or written.

    source      a Dataset, a Parquet file, or a folder of these or of .npy files, whose first dimension are the rows and whose
                column is "data"
    model       the path of a library, on every node, or a Model, which travels if it was compiled without `output`
    columns     which column each input of the model is: {"x": "image"}; None: those of the same names
    batch_size  rows that a run takes, if the model's first dimension is free; if it is 1, every row is a run
    threads     of a run; each actor reserves so many processors

    Other options are those of Dataset.map_batches: by default there are as many actors as there are processors for, and
    compute=ray.data.ActorPoolStrategy(size=4) are four. What a node that fails has not done, others do again, if they have a
    processor for an actor and one for the rest."""
    dataset = source if isinstance(source, ray.data.Dataset) else _read(arguments.path("source", source))
    if not isinstance(model, Model):
        model = os.path.abspath(arguments.path("model", model))
    threads = arguments.number("threads", threads, 1024)
    return dataset.map_batches(
        Predictor, fn_constructor_kwargs=dict(model=model, columns=columns, threads=threads), batch_size=batch_size, batch_format="numpy",
        **{"num_cpus": max(threads, 1), "compute": ray.data.ActorPoolStrategy(min_size=1), **options})


class Predictor:
    """For Dataset.map_batches: adds a column for each output. Options are those of hone.load."""

    def __init__(self, model: Model | str, columns: Mapping[str, str] | None = None, **options: Any) -> None:
        self._measured = Measured(model, options)
        self._columns = dict(columns or {})
        self._inputs = self._measured.model.inputs
        unknown = self._columns.keys() - {value.name for value in self._inputs}
        if unknown:
            raise ArgumentValueError(f"columns: the model has no input '{unknown.pop()}'; it has {', '.join(repr(value.name) for value in self._inputs)}")
        firsts = {value.shape[0] if value.shape else None for value in (*self._inputs, *self._measured.model.outputs)}
        self._alone = firsts == {1}
        if not self._alone and not (len(firsts) == 1 and isinstance(next(iter(firsts)), str)):
            raise ArgumentValueError("the first dimension of all inputs and outputs must be 1, or the same free dimension, to be the rows of a dataset")

    def __call__(self, batch: dict[str, numpy.ndarray[Any, Any]]) -> dict[str, Any]:
        feeds = {value.name: self._column(batch, value) for value in self._inputs}
        feeds = {name: array for name, array in feeds.items() if array is not None}
        if not self._alone:
            return {**batch, **self._measured.run(feeds)}
        rows = [self._measured.run({name: array[i : i + 1] for name, array in feeds.items()}) for i in range(len(next(iter(feeds.values()))))]
        return {**batch, **{name: numpy.concatenate([row[name] for row in rows]) for name in rows[0]}}

    def _column(self, batch: dict[str, numpy.ndarray[Any, Any]], value: Value) -> Any:
        """The column of an input in its type; None for one with a default that has no column."""
        name = self._columns.get(value.name, value.name)
        if name not in batch:
            if value.has_default:
                return None
            raise ArgumentValueError(f"input '{value.name}': the dataset has no column '{name}'; it has {', '.join(map(repr, batch))}")
        array = batch[name]
        if array.dtype == object and value.dtype != object:  # lists, of Parquet
            array = numpy.stack([numpy.asarray(row) for row in array])
        try:
            return numpy.ascontiguousarray(array.astype(value.dtype, casting="same_kind", copy=False))
        except TypeError as error:
            raise ArgumentValueError(f"input '{value.name}': column '{name}': {error}") from None


def _read(path: str) -> ray.data.Dataset:
    names = sorted(os.listdir(path)) if os.path.isdir(path) else [path]
    for suffix, read in ((".parquet", ray.data.read_parquet), (".npy", ray.data.read_numpy)):
        files = [os.path.join(path, name) for name in names if name.endswith(suffix)]
        if files:
            return read(files)
    raise ArgumentValueError(f"{path}: there is no .parquet and no .npy file; read it with ray.data, and pass the dataset")
