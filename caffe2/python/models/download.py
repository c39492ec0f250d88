"""Pretrained models, downloaded from the model zoo: `python -m caffe2.python.models.download squeezenet`."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import urllib.request
from typing import Any
from urllib.error import HTTPError, URLError

from caffe2.proto import caffe2_pb2

DOWNLOAD_BASE_URL = "https://s3.amazonaws.com/download.caffe2.ai/models/"
DOWNLOAD_COLUMNS = 70

_CHUNK = 8192


class DownloadError(OSError):
    """A model could not be downloaded."""


def deleteDirectory(top_dir: str) -> None:
    """Delete a folder and all in it."""
    shutil.rmtree(top_dir)


def progressBar(percentage: int) -> None:
    """Draw a bar of `percentage` per cent over the present line."""
    bar = ("#" * int(DOWNLOAD_COLUMNS * percentage / 100)).ljust(DOWNLOAD_COLUMNS)
    sys.stdout.write(f"\r[{bar}] {percentage}%")
    sys.stdout.flush()


def downloadFromURLToFile(url: str, filename: str, show_progress: bool = True) -> None:
    """Write what is at `url` to a file. Raises DownloadError, a kind of OSError, where it cannot be had."""
    print(f"Downloading from {url}")
    try:
        with urllib.request.urlopen(url) as response, open(filename, "wb") as file:
            print(f"Writing to {filename}")
            size, done = int(response.headers.get("Content-Length") or 0), 0
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                if show_progress and size:
                    progressBar(int(100 * done / size))
    except HTTPError as error:
        reason = f"[HTTP Error] {error.code}: {error.reason}."
        raise DownloadError(f"Could not download model. {reason} Asked for: {url}") from error
    except URLError as error:
        raise DownloadError(f"Could not download model. [URL Error] {error.reason}. Asked for: {url}") from error
    print("")


def getURLFromName(name: str, filename: str) -> str:
    """Where a file of a model is to be had."""
    return f"{DOWNLOAD_BASE_URL}{name}/{filename}"


def downloadModel(model: str, args: argparse.Namespace) -> None:
    """Download a model to a folder of its name here, or with `args.install` into this package.

    What is in the way is replaced with `args.force`, or if the user agrees. Exits where that or the download fails.
    """
    package = os.path.dirname(os.path.realpath(__file__))
    folder = os.path.join(package, model) if args.install else model
    _make_way(folder, args.force)
    os.makedirs(folder)
    try:
        for file in ("predict_net.pb", "init_net.pb"):
            downloadFromURLToFile(getURLFromName(model, file), os.path.join(folder, file))
    except OSError as error:
        deleteDirectory(folder)
        sys.exit(f"Abort: {error}")
    if args.install:
        os.symlink(os.path.join(package, "__sym_init__.py"), os.path.join(folder, "__init__.py"))


def _make_way(folder: str, force: bool) -> None:
    if os.path.isdir(folder):
        if not force and not input("Model already exists, continue? [y/N] ").upper().startswith("Y"):
            sys.exit("Cancelling download...")
        print(f"Overwriting existing folder! ({folder})")
        deleteDirectory(folder)
    elif os.path.exists(folder):
        if not force:
            raise FileExistsError(f"{folder}: there is a file where the folder of the model is to be; -f replaces it")
        print(f"Overwriting existing file! ({folder})")
        os.remove(folder)


def validModelName(name: str) -> bool:
    """Whether a model may have this name: letters, digits, '/', '_' and '-'."""
    return name != "__init__" and re.fullmatch("[/0-9a-zA-Z_-]+", name) is not None


class ModelDownloader:
    """Models kept in a folder, and downloaded to it when they are first asked for.

    model_env_name: the environment variable that names the folder, by default models in CAFFE2_HOME or ~/.caffe2.
    """

    def __init__(self, model_env_name: str = "CAFFE2_MODELS") -> None:
        self.model_env_name = model_env_name

    def _model_dir(self, model: str) -> str:
        home = os.path.expanduser(os.getenv("CAFFE2_HOME", "~/.caffe2"))
        return os.path.join(os.getenv(self.model_env_name, os.path.join(home, "models")), model)

    def _download(self, model: str) -> None:
        folder = self._model_dir(model)
        os.makedirs(folder)
        try:
            for file in ("predict_net.pb", "init_net.pb", "value_info.json"):
                downloadFromURLToFile(getURLFromName(model, file), os.path.join(folder, file), show_progress=False)
        except BaseException:
            deleteDirectory(folder)
            raise

    def get_c2_model_dbg(self, model_name: str) -> tuple[caffe2_pb2.NetDef, caffe2_pb2.NetDef, dict[str, Any], str]:
        """What get_c2_model gives, and a text that says which files were read."""
        folder = self._model_dir(model_name)
        if not os.path.exists(folder):
            self._download(model_name)
        debug = ["get_c2_model debug:"]
        nets = {}
        for kind, name in (("predict", model_name), ("init", model_name + "_init")):
            path = os.path.join(folder, f"{kind}_net.pb")
            with open(path, "rb") as file:
                nets[kind] = caffe2_pb2.NetDef.FromString(file.read())
            nets[kind].name = name
            debug.append(f"c2_{kind}_pb path: {path}")
        with open(os.path.join(folder, "value_info.json")) as file:
            value_info = json.load(file)
        return nets["init"], nets["predict"], value_info, "\n".join(debug) + "\n"

    def get_c2_model(self, model_name: str) -> tuple[caffe2_pb2.NetDef, caffe2_pb2.NetDef, dict[str, Any]]:
        """The init net and the predict net of a model, and the types and shapes of its inputs."""
        return self.get_c2_model_dbg(model_name)[:3]


def _main() -> None:
    parser = argparse.ArgumentParser(description="Download or install pretrained models.")
    parser.add_argument("model", nargs="+", help="Model to download/install.")
    parser.add_argument("-i", "--install", action="store_true", help="Install the model.")
    parser.add_argument("-f", "--force", action="store_true", help="Force a download/installation.")
    args = parser.parse_args()
    for model in args.model:
        if validModelName(model):
            downloadModel(model, args)
        else:
            print(f"'{model}' is not a valid model name.")


if __name__ == "__main__":
    _main()
