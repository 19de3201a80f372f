# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled models on Ray: hone.ray.serve is a deployment of Ray Serve, hone.ray.data runs a model over a dataset of Ray Data.
Both count the runs in hone_run_seconds, a histogram, and set hone_arena_bytes, the memory of one for intermediate values."""
