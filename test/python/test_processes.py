# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compilations of the Python package run in separate processes: crashes, signals and forks."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest

import hone

ROOT = pathlib.Path(__file__).resolve().parent.parent
DIGITS = str(ROOT / "data" / "digits" / "model.onnx")


def workers():
    """IDs of the compiler processes that this one has started."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = path.read_text().rsplit(")", 1)
        except OSError:
            continue
        if name.endswith("(hone-compile") and int(rest.split()[1]) == os.getpid():
            found.append(int(path.parent.name))
    return found


class ProcessTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.slow = pathlib.Path(cls.folder.name) / "slow.mlir"
        with cls.slow.open("w") as file:
            subprocess.run([sys.executable, ROOT / "scaling" / "chain.py", "30000"], stdout=file, check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def compile_slow(self):
        hone.compile_library(self.slow, pathlib.Path(self.folder.name) / "slow.so")

    def send_to_worker(self, number):
        """A signal to the compiler during its work."""

        def send():
            while not (found := workers()):
                time.sleep(0.01)
            time.sleep(0.5)
            os.kill(found[0], number)

        threading.Thread(target=send, daemon=True).start()

    def test_ctrl_c_ends_a_compile_inside_a_phase(self):
        sent = []
        # Whoever starts the tests may ignore it.
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))

        def interrupt():
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(1, interrupt)
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            self.compile_slow()
        self.assertLess(time.monotonic() - sent[0], 1)
        self.assertEqual([p.name for p in pathlib.Path(self.folder.name).iterdir()], ["slow.mlir"])
        self.assertEqual(workers(), [])

    def test_a_crash_of_the_compiler_is_an_error(self):
        self.send_to_worker(signal.SIGSEGV)
        with self.assertRaisesRegex(hone.CompileError, "internal error: the compiler ended by SIGSEGV"):
            self.compile_slow()
        reproducer = pathlib.Path(self.folder.name) / "slow.so.reproducer.mlir"
        self.assertIn("SIGSEGV", reproducer.read_text())
        reproducer.unlink()

    def test_a_killed_compiler_is_no_internal_error(self):
        self.send_to_worker(signal.SIGKILL)
        with self.assertRaisesRegex(hone.CompileError, "ended by SIGKILL from outside") as caught:
            self.compile_slow()
        self.assertNotIn("internal", str(caught.exception))

    def test_forked_child_compiles(self):
        hone.compile(DIGITS)
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            hone.compile(DIGITS)
            os._exit(0)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_many_threads_compile(self):
        errors = []

        def work():
            try:
                hone.compile(DIGITS)
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])

    def test_host_that_ignores_its_children_and_signals(self):
        code = """
            import signal, hone
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
            hone.compile(%r)
            try:
                hone.compile(b"junk")
            except hone.CompileError as error:
                print(error)
        """
        command = [sys.executable, "-c", textwrap.dedent(code % DIGITS)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("not an ONNX model", result.stdout)

    def test_closed_standard_files(self):
        code = f"import os; [os.close(i) for i in range(3)]; import hone; hone.compile({DIGITS!r}); os._exit(7)"
        self.assertEqual(subprocess.run([sys.executable, "-c", code], timeout=60).returncode, 7)

    def test_wrong_options_are_told(self):
        for options in ({"dims": {"n": 2**70}}, {"dims": {"n": -1}}, {"threads": -3}):
            with self.assertRaisesRegex(ValueError, "must be from 0 to"):
                hone.compile(DIGITS, **options)
        for options in ({"dims": {"": 1}}, {"cpu": "abacus"}, {"symbol": "a-b"}, {"symbol": "a\0b"}, {"dims": {"a\0b": 1}}):
            with self.assertRaisesRegex(ValueError, "wants|unknown|identifier|null"):
                hone.compile(DIGITS, **options)


if __name__ == "__main__":
    unittest.main()
