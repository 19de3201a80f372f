# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles through the C API with tuning files, the last of which is damaged.

usage: tuned_api.py LIBRARY MODEL OUT FILE... DAMAGED
"""
import ctypes
import sys


def main():
    library, model, out, *files = sys.argv[1:]
    api = ctypes.CDLL(library)
    api.hone_compiler_create.restype = ctypes.c_void_p
    api.hone_compiler_messages.restype = ctypes.c_char_p
    compiler = ctypes.c_void_p(api.hone_compiler_create())
    for file in files:
        assert api.hone_compiler_set(compiler, b"tuned", file.encode()) == 0
        print(api.hone_compile_file(compiler, model.encode(), out.encode()), api.hone_compiler_messages(compiler).decode().strip())
    print(api.hone_compiler_set(compiler, b"tuned", b""))
    api.hone_compiler_destroy(compiler)


if __name__ == "__main__":
    main()
