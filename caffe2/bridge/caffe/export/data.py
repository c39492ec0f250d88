"""Layers that read data from files."""

from __future__ import annotations

from caffe2.bridge.caffe.export.draft import Draft, exports
from caffe2.bridge.caffe.export.native import given
from caffe2.bridge.caffe.export.site import Refusal, Site


@exports("CaffeData", "CaffeImageData")
def _(s: Site, e: Draft) -> None:
    """Records of a database, or images of a list, transformed."""
    a, database = s.args, s.type == "CaffeData"
    if s.inputs:
        raise Refusal("its mean image is a blob, and Caffe's a file", advice="subtract mean_value, or feed the data")
    transform = given(a, "mean_value") | {k: a[k] for k in ("crop_size", "mirror") if a[k]}
    transform |= {"scale": a["scale"]} if a["scale"] != 1 else {}
    names = ("rand_skip",) if database else ("new_height", "new_width", "shuffle", "rand_skip")
    param = {"source": a["source"], "batch_size": a["batch_size"], **{k: a[k] for k in names if a[k]}}
    if database:
        param["backend"] = a["backend"].upper()
        transform |= {k: True for k in ("force_color", "force_gray") if a[k]}
        e.layer("Data", [], s.outputs, data_param=param, transform_param=transform)
        return
    param |= {"is_color": bool(a["is_color"]), **given(a, "root_folder")}
    e.layer("ImageData", [], s.outputs, image_data_param=param, transform_param=transform)


@exports("CaffeHDF5Data")
def _(s: Site, e: Draft) -> None:
    """The tops are named after the data sets."""
    if list(s.args["datasets"]) != s.outputs:
        raise Refusal("Caffe names the blobs as the data sets", argument="datasets")
    param = {"source": s.args["source"], "batch_size": s.args["batch_size"], "shuffle": bool(s.args["shuffle"])}
    e.layer("HDF5Data", [], s.outputs, hdf5_data_param=param)


@exports("CaffeHDF5Output")
def _(s: Site, e: Draft) -> None:
    e.layer("HDF5Output", s.inputs, [], name="output", hdf5_output_param={"file_name": s.args["file_name"]})
