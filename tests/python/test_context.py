import threading

import pytest

from caffe2.python.context import DefaultManaged, Managed


class Plain(Managed):
    pass


class Derived(Plain):
    pass


class Ready(DefaultManaged):
    pass


def test_the_innermost_is_the_current_one_of_each_of_its_classes():
    with Plain() as outer, Derived() as inner:
        assert Plain.current() is Derived.current() is inner
        assert Plain.current(outer) is outer
    assert Plain.current(required=False) is None


def test_one_is_required():
    with pytest.raises(AssertionError, match="a Plain is required"):
        Plain.current()


def test_a_value_of_another_class_is_refused():
    with pytest.raises(AssertionError, match="expected a Plain, got a int"):
        Plain.current(3)


def test_a_default_is_made_once():
    assert Ready.current() is Ready.current()
    with Ready() as entered:
        assert Ready.current() is entered


def test_a_decorated_function_runs_within():
    entered = Plain()

    @entered
    def current():
        return Plain.current()

    assert current() is entered


def test_threads_begin_without_one():
    seen = []
    with Plain():
        thread = threading.Thread(target=lambda: seen.append(Plain.current(required=False)))
        thread.start()
        thread.join()
    assert seen == [None]
