import sys

import pytest

from caffe2.python import core, dyndep, extension_loader, lazy_dyndep

BUILT_IN = "@/caffe2/caffe2/distributed:file_store_handler_ops"
OTHERS = "//caffe2/caffe2/quantization/server:dnnlowp_ops"


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "broken.so"
    path.write_bytes(b"no library")
    return str(path)


@pytest.fixture(autouse=True)
def no_handler(monkeypatch):
    monkeypatch.setattr(lazy_dyndep, "_handlers", [])


@pytest.mark.parametrize("load", [dyndep.InitOpsLibrary, lazy_dyndep.RegisterOpsLibrary])
def test_libraries_of_the_original_are_here(load, capsys):
    load(BUILT_IN)
    load(OTHERS)
    core.RefreshRegisteredOperators()
    assert BUILT_IN not in lazy_dyndep.GetImportedOpsLibraries()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("load", [dyndep.InitOpsLibrary, lazy_dyndep.RegisterOpsLibrary])
def test_a_missing_file(load):
    with pytest.raises(FileNotFoundError, match=r"no_such\.so"):
        load("no_such.so")


def test_a_file_that_is_no_library(broken):
    with pytest.raises(OSError, match="TORCH_LIBRARY"):
        dyndep.InitOpsLibrary(broken)
    assert broken not in dyndep.GetImportedOpsLibraries()


def test_lazy_libraries_are_loaded_once_operators_are_asked_for(monkeypatch, broken):
    loaded = []
    monkeypatch.setattr(dyndep.torch.ops, "load_library", loaded.append)
    monkeypatch.setattr(dyndep, "_loaded", set())
    lazy_dyndep.RegisterOpsLibrary(broken)
    assert loaded == []
    assert core.IsOperator("Relu")
    assert loaded == [broken]
    core.RefreshRegisteredOperators()
    assert loaded == [broken]
    assert lazy_dyndep.GetImportedOpsLibraries() == {broken}


def test_errors_of_lazy_libraries_go_to_the_handler(broken):
    errors = []
    lazy_dyndep.SetErrorHandler(errors.append)
    lazy_dyndep.RegisterOpsLibrary(broken)
    core.RefreshRegisteredOperators()
    core.RefreshRegisteredOperators()
    assert [type(error) for error in errors] == [OSError]


def test_errors_of_lazy_libraries_without_a_handler(broken):
    lazy_dyndep.RegisterOpsLibrary(broken)
    with pytest.raises(OSError, match=r"broken\.so"):
        core.RefreshRegisteredOperators()
    core.RefreshRegisteredOperators()


@pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="this system has no flags for loading libraries")
def test_flags_of_the_loader_are_put_back():
    before = sys.getdlopenflags()
    with pytest.raises(KeyError), extension_loader.DlopenGuard(1 << 8):
        assert sys.getdlopenflags() == before | 1 << 8
        raise KeyError
    assert sys.getdlopenflags() == before
