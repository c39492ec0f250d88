"""Which layers of a net take part: Caffe's include and exclude rules over phase, level and stages."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import NetError
from caffe2.bridge.caffe.source import Source
from caffe2.proto import caffe_pb2

PHASES = {"TRAIN": caffe_pb2.TRAIN, "TEST": caffe_pb2.TEST}


def net_state(net: Message, phase: str, level: int, stages: Iterable[str]) -> Message:
    """The NetState that Caffe's constructor makes of a file's own state: phase and level set, stages added."""
    if phase not in PHASES:
        raise NetError(f"phase is TRAIN or TEST, not {phase!r}")
    if isinstance(stages, str):
        raise NetError(f"stages is a list of names, not the string {stages!r}")
    state = caffe_pb2.NetState(stage=[*net.state.stage, *stages])
    state.phase, state.level = PHASES[phase], level
    return state


def meets(state: Message, rule: Message) -> bool:
    """Whether `state` meets every condition of the NetStateRule `rule`."""
    return (
        (not rule.HasField("phase") or rule.phase == state.phase)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and set(rule.stage) <= set(state.stage)
        and not set(rule.not_stage) & set(state.stage)
    )


def included(layer: Message, state: Message) -> bool:
    """Whether a layer is in the net at `state`: some include rule is met or, without any, no exclude rule is."""
    if layer.include:
        return any(meets(state, rule) for rule in layer.include)
    return not any(meets(state, rule) for rule in layer.exclude)


def kept(source: Source, state: Message) -> list[int]:
    """The indices of the layers of `source` that are in the net at `state`.

    Raises:
        NetError: a layer has include rules and exclude rules.
    """
    for index, layer in enumerate(source.net.layer):
        if layer.include and layer.exclude:
            what = "give include rules or exclude rules, not both"
            raise source.error(NetError, index, what, "exclude")
    return [index for index, layer in enumerate(source.net.layer) if included(layer, state)]
