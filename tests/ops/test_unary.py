"""Elementwise functions: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import floats, samples

ANYWHERE = "Abs Negative Sqr Cube Cbrt Reciprocal Exp Erf Sin Cos Tan Atan Sinh Cosh"
SLOPES = "Abs Cube Cbrt Reciprocal Erf Sin Cos Tan Atan Sinh Cosh Asin Acos"


@samples(*ANYWHERE.split())
def _(rng):
    yield [floats(rng, 2, 3)], {}
    yield [floats(rng, 4, 0)], {}


@samples("Sqrt", "Rsqrt", "Log")
def _(rng):
    yield [rng.uniform(0.5, 2, (2, 3)).astype(np.float32)], {}


@samples("Asin", "Acos")
def _(rng):
    yield [rng.uniform(-0.8, 0.8, (2, 3)).astype(np.float32)], {}


@samples(*(f"{name}Gradient" for name in SLOPES.split()), "RsqrtGradient")
def _(rng):
    yield [rng.uniform(0.1, 0.9, (2, 3)).astype(np.float32), rng.uniform(0.1, 0.9, (2, 3)).astype(np.float32)], {}


@samples("Sign")
def _(rng):
    yield [floats(rng, 2, 3)], {}
    yield [np.array([-3, 0, 5])], {}


@samples("Ceil", "Floor")
def _(rng):
    yield [floats(rng, 2, 3) * 10], {}


@samples("Not")
def _(rng):
    yield [rng.random((2, 3)) > 0.5], {}


@samples("IsNaN", "ReplaceNaN")
def _(rng):
    yield [np.array([[1, np.nan], [np.inf, -2]], np.float32)], {}


@samples("Mod")
def _(rng):
    yield [np.array([-7, -3, 0, 3, 7])], {"divisor": 3}
    yield [np.array([-7, -3, 0, 3, 7], np.int32)], {"divisor": -3, "sign_follow_divisor": True}


def test_remainders_follow_the_sign_asked_for(run):
    x = np.array([-7, 7])
    assert run("Mod", x, divisor=3).tolist() == [-1, 1]
    assert run("Mod", x, divisor=3, sign_follow_divisor=True).tolist() == [2, 1]
    with pytest.raises(EnforceNotMet, match="divisor"):
        run("Mod", x)


def test_roots_of_negative_numbers(run):
    assert np.allclose(run("Cbrt", np.array([-8, 27], np.float32)), [-2, 3])


def test_integers_are_refused_where_the_original_refuses_them(run):
    with pytest.raises(EnforceNotMet, match="takes"):
        run("Sin", np.array([1, 2]))


def test_nan_is_replaced(run):
    assert run("ReplaceNaN", np.array([np.nan, 1], np.float32), value=5.0).tolist() == [5, 1]
