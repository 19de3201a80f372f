# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles through the C API with sizes of an input: given_shape_api.py LIBRARY MODEL OUT."""
import ctypes
import sys

library, model, out = sys.argv[1:]
api = ctypes.CDLL(library)
api.hone_compiler_create.restype = ctypes.c_void_p
api.hone_compiler_messages.restype = ctypes.c_char_p
for shape in b"x=7,4", b"x=7,5", b"x=7,a":
    compiler = ctypes.c_void_p(api.hone_compiler_create())
    assert api.hone_compiler_set(compiler, b"shape", shape) == 0
    print(api.hone_compile_file(compiler, model.encode(), out.encode()), api.hone_compiler_messages(compiler).decode().strip())
    api.hone_compiler_destroy(compiler)
compiler = ctypes.c_void_p(api.hone_compiler_create())
print(api.hone_compiler_set(compiler, b"shape", b"7,4"))
print(api.hone_compile_file(compiler, model.encode(), None), api.hone_compiler_messages(compiler).decode().strip())
api.hone_compiler_destroy(compiler)
