# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The exceptions of this package. All are Error; those about a model are CompileError or RunError as well, and
those that Python has a class for are also of that class: a file that is missing is a FileNotFoundError."""


class Error(Exception):
    """Whatever this package raises of itself."""


class CompileError(Error, RuntimeError):
    """The model cannot be compiled; the message says what is wrong, and with which node."""


class RunError(Error, RuntimeError):
    """A library cannot be opened, or a run failed: its inputs do not fit the model, or an error is in the data."""


class ArgumentTypeError(Error, TypeError):
    """An argument of the wrong type."""


class ArgumentValueError(Error, ValueError):
    """An argument with a value that it cannot have."""


class _NotFound(FileNotFoundError):
    def __str__(self) -> str:  # the message alone, without number and path
        return self.strerror or super().__str__()


class CompileFileNotFoundError(_NotFound, CompileError):
    """There is no file of a model at this path."""


class CompileOSError(OSError, CompileError):
    """The library cannot be written."""


class RunFileNotFoundError(_NotFound, RunError):
    """There is no library at this path."""


class RunKeyError(RunError, KeyError):
    """A name that the model's inputs or outputs do not have, or an input that is missing."""

    __str__ = BaseException.__str__  # without the quotes of KeyError


class RunTypeError(RunError, TypeError):
    """A value that is no tensor, or has the wrong element type."""


class RunValueError(RunError, ValueError):
    """A value that does not fit the model, as by its shape, or a model that is closed."""
