"""NVIDIA's own tritonserver, from the package nvidia-pytriton in an environment of its own, for the length of a block.

    python3 -m venv pytriton
    pytriton/bin/pip install nvidia-pytriton onnxruntime

The package brings the server and its python backend, which runs models with that environment's Python: hence
onnxruntime there. It brings no other backend, and needs no GPU.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_S = 120.0
"""Longest wait for the models."""
STUB = "triton_python_backend_stub"
"""The program in which the backend runs a model, one for each version of Python."""


class ServerError(RuntimeError):
    """The server is not there, or does not start."""


@contextmanager
def serve(python: Path, repository: Path, *, start_s: float = START_S) -> Iterator[str]:
    """Run the server on a repository of ours; gives triton://HOST:PORT of its HTTP side.

    python: of an environment with nvidia-pytriton. Raises ServerError with the end of its log if it does not start.
    """
    home, version, library_folder = _find(python)
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="startrack-triton-") as folder:
        log = Path(folder) / "server.log"
        backends = _backends(home, version, Path(folder))
        command = [
            str(home / "bin" / "tritonserver"),
            f"--model-repository={repository}",
            f"--backend-directory={backends}",
            f"--http-port={port}",
            "--http-address=127.0.0.1",
            *("--allow-grpc=false", "--allow-metrics=false", "--exit-on-error=true"),
        ]
        with log.open("wb") as output:
            environment = _environment(home, python, library_folder)
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait(process, port, log, start_s)
            yield f"triton://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _find(python: Path) -> tuple[Path, str, str]:
    """Folder of the server, version of that Python, and the folder of its library."""
    code = (
        "import importlib.util, sys, sysconfig; spec = importlib.util.find_spec('pytriton'); "
        "print(spec.submodule_search_locations[0], f'{sys.version_info[0]}.{sys.version_info[1]}', "
        "sysconfig.get_config_var('LIBDIR'), sep='\\n')"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerError(f"{python}: no nvidia-pytriton there; expected: pip install nvidia-pytriton onnxruntime")
    package, version, library_folder = done.stdout.splitlines()
    return Path(package) / "tritonserver", version, library_folder


def _backends(home: Path, version: str, folder: Path) -> Path:
    """A folder of the package's backends in which the python backend has the stub of our version of Python."""
    backends = folder / "backends"
    shutil.copytree(home / "backends", backends, symlinks=True)
    stub = next((home / "python_backend_stubs").glob(f"{version}/{STUB}"), None)
    if stub is None:
        raise ServerError(f"{home}: no python backend for Python {version}")
    shutil.copy2(stub, backends / "python" / STUB)
    return backends


def _environment(home: Path, python: Path, library_folder: str) -> dict[str, str]:
    # the stub takes the first python3 of PATH, and needs its library; a copy of it no longer finds the package's own
    libraries = [*map(str, home.parents[1].glob("nvidia_pytriton.libs")), library_folder]
    path = os.pathsep.join([str(python.parent), os.environ.get("PATH", "")])
    virtual = str(python.parent.parent)
    return {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")},
        "PATH": path,
        "VIRTUAL_ENV": virtual,
        "LD_LIBRARY_PATH": os.pathsep.join(libraries),
        "OMP_NUM_THREADS": "1",
    }


def _wait(process: subprocess.Popen[bytes], port: int, log: Path, start_s: float) -> None:
    end = time.monotonic() + start_s
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
    raise ServerError("tritonserver does not start:\n" + "\n".join(lines))


def _free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port
