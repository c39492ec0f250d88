"""The command `train`: what it prints, writes and refuses."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from caffe2.proto import caffe2_pb2, caffe_pb2
from caffe2.python import caffe_translator
from caffe2.python._caffe_solver import command
from caffe2.python._caffe_solver.solver import CaffeSolver
from tests.python.caffe_solver.byhand import net_text
from tests.python.caffe_solver.test_loop import NOISE

SOLVER = """net: "net.prototxt" base_lr: 0.5 lr_policy: "step" gamma: 0.5 stepsize: 2 max_iter: 4 display: 2
test_iter: 2 test_interval: 4 snapshot_prefix: "noise" random_seed: 1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NOISE)
    Path("solver.prototxt").write_text(SOLVER)
    return tmp_path


def train(*words: str) -> int:
    return caffe_translator.main(["train", "--solver", "solver.prototxt", *words])


def test_it_tells_what_caffe_tells(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert train() == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "Iteration 0, Testing net (#0)" and out[1].startswith("    Test net output #0: loss = ")
    assert out[1].split("(")[1].startswith("* 1 = ")
    shown = [line for line in out if line.startswith("Iteration")]
    assert [line.split(",")[0].split(" (")[0] for line in shown] == [f"Iteration {n}" for n in (0, 0, 0, 2, 2, 4, 4)]
    assert shown[2] == "Iteration 0, lr = 0.5" and shown[4] == "Iteration 2, lr = 0.25"
    assert "iter/s" in shown[1] and shown[3].split("loss = ")[1] and shown[6].endswith("Testing net (#0)")
    assert out[-1] == "Optimization Done."
    saved = [line.split()[-1] for line in out if line.startswith("Snapshotting")]
    assert saved == ["noise_iter_4.caffemodel", "noise_iter_4.solverstate"]
    assert all(Path(name).exists() for name in saved)


def test_going_on_and_beginning_with_weights(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert train("--iterations", "2") == 0
    assert train("--snapshot", "noise_iter_2.solverstate", "--iterations", "3") == 0
    assert train("--weights", "noise_iter_2.caffemodel, noise_iter_3.caffemodel", "--iterations", "1") == 0
    assert {path.name for path in folder.glob("*.solverstate")} == {f"noise_iter_{n}.solverstate" for n in (1, 2, 3)}
    out = capsys.readouterr().out
    assert "Iteration 2, lr = 0.25" in out


def test_nets_are_written(folder: Path) -> None:
    assert train("--nets", "nets", "--iterations", "1", "--device", "cpu") == 0
    names = {path.name for path in (folder / "nets").iterdir()}
    assert names == {"init_net.pb", "train_net.pb", "update_net.pb", "test_net_0.pb"}
    assert caffe2_pb2.NetDef.FromString((folder / "nets" / "train_net.pb").read_bytes()).op


def test_an_interrupt_ends_it_with_a_snapshot_and_hang_up_only_saves(
    folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = CaffeSolver.step

    def step(self: CaffeSolver) -> float:
        loss = plain(self)
        if self.iteration in (1, 3):
            signal.raise_signal(signal.SIGHUP if self.iteration == 1 else signal.SIGINT)
        return loss

    monkeypatch.setattr(CaffeSolver, "step", step)
    before = signal.getsignal(signal.SIGINT)
    assert train("--iterations", "9") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Optimization stopped early."
    assert {path.name for path in folder.glob("*.caffemodel")} == {"noise_iter_1.caffemodel", "noise_iter_3.caffemodel"}
    assert signal.getsignal(signal.SIGINT) is before


def test_a_terminal_sees_a_bar(folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train() == 0 and capsys.readouterr().err == ""
    monkeypatch.setattr(command.sys.stderr, "isatty", lambda: True)
    assert train() == 0
    assert f"\r[{'#' * (command.BAR // 2)}{' ' * (command.BAR // 2)}] 2/4" in capsys.readouterr().err


def test_the_solvers_stages_and_level(folder: Path) -> None:
    Path("net.prototxt").write_text(
        NOISE.replace('type: "Dropout"', 'type: "Dropout" include { stage: "wet" min_level: 2 }')
    )
    assert train("--nets", "wet", "--iterations", "1", "--stage", "wet", "--level", "2") == 0
    assert train("--nets", "dry", "--iterations", "1", "--stage", "wet") == 0
    nets = [caffe2_pb2.NetDef.FromString((folder / name / "train_net.pb").read_bytes()) for name in ("wet", "dry")]
    assert [any(op.type == "Dropout" for op in net.op) for net in nets] == [True, False]


def test_a_gpu_that_is_not_here(folder: Path, capsys: pytest.CaptureFixture) -> None:
    Path("solver.prototxt").write_text(SOLVER + "solver_mode: GPU device_id: 4096")
    assert train("--iterations", "1") == 0
    assert "note: the solver asks for the GPU 4096, which is not here" in capsys.readouterr().out
    assert train("--device", "cuda:4096") == 2
    assert "cuda:4096 is not here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words", "told"),
    [
        ({}, ["--snapshot", "none.solverstate"], "none.solverstate"),
        ({}, ["--weights", "none.caffemodel"], "none.caffemodel"),
        ({"net.prototxt": net_text()}, [], "a program may feed data, label"),
        ({"net.prototxt": 'layer { name: "x" type: "Nothing" }'}, [], 'unknown layer type "Nothing"'),
        ({"solver.prototxt": 'net: "gone.prototxt" base_lr: 1 lr_policy: "fixed"'}, [], "gone.prototxt: no such file"),
        ({"solver.prototxt": SOLVER + "nothing: 1"}, [], "nothing"),
        ({"solver.prototxt": SOLVER.replace('"step"', '"stairs"')}, [], '"stairs" is none of Caffe\'s'),
    ],
    ids=lambda value: " ".join(value) or "plain",
)
def test_refused(change: dict, words: list[str], told: str, folder: Path, capsys: pytest.CaptureFixture) -> None:
    for name, text in change.items():
        Path(name).write_text(text)
    assert train(*words) == 2
    assert told in capsys.readouterr().err


def test_help_has_examples(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as end:
        caffe_translator.main(["train", "-h"])
    assert end.value.code == 0 and "examples:" in capsys.readouterr().out


def test_a_solver_of_the_older_form(folder: Path) -> None:
    Path("solver.prototxt").write_text(SOLVER + "solver_type: ADAM")
    solver = caffe_translator.translate_solver("solver.prototxt")
    assert solver.param.type == "Adam" and "Adam" in {op.type for op in solver.update_net.op}
    assert solver.param.solver_mode == caffe_pb2.SolverParameter.GPU
