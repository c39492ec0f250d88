"""Batches of clips with labels, read from databases of videos."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, OutputCount, Site, op
from caffe2.ops.image import record, sampling, video
from caffe2.ops.image.decoding import Decoding
from caffe2.ops.image.video import JITTER, ORIGINAL, SHORT_EDGE, START, UNIFORM, WIDTH_HEIGHT, Size
from caffe2.proto import caffe2_pb2
from caffe2.runtime.db.reader import DBReader
from caffe2.runtime.errors import MessageError

MEAN = (0.0046635, 0.0046261, 0.963986, 102.976, 110.201, 100.64, 95.9966)
DEVIATION = (0.972347, 0.755146, 1.43588, 55.3691, 58.1489, 56.4701, 55.3324)
"""Of horizontal and vertical flow, its magnitude, gray, red, green, blue, over a large collection of videos."""

FLOW_CHANNELS = ((0, 1), (0, 1, 2), (0, 1, 3), (0, 1, 4, 5, 6))
"""Which of these a clip of flow has, by flow_data_type."""
GRAY = np.float32([0.299, 0.587, 0.114])


class Example(NamedTuple):
    """What a record says."""

    picture: bytes | str | Tensor
    label: np.ndarray
    start: int
    id: int


def _shapes(
    reader: Any = None,
    *,
    batch_size: int = 0,
    clip_per_video: int = 1,
    clip_start_positions: tuple[int, ...] = (),
    crop_per_clip: int = 1,
    crop_size: int = 0,
    length_rgb: int = 0,
    length_of: int = 0,
    flow_data_type: int = 0,
    num_of_class: int = 0,
    image_as_input: bool = False,
    do_multi_label: bool = False,
    get_rgb: bool = True,
    get_optical_flow: bool = False,
    get_video_id: bool = False,
    get_start_frame: bool = False,
) -> list[Tensor]:
    clips = 1 if image_as_input else len(clip_start_positions) or clip_per_video
    rows, square = batch_size * clips * crop_per_clip, (crop_size, crop_size)
    made = []
    if get_rgb or image_as_input:
        made.append(torch.empty(rows, 3, 1 if image_as_input else length_rgb, *square, device="meta"))
    if get_optical_flow and not image_as_input:
        made.append(torch.empty(rows, len(FLOW_CHANNELS[flow_data_type]), length_of, *square, device="meta"))
    label = (rows, num_of_class) if do_multi_label else (rows,)
    numbers = [(label, torch.int32)]
    numbers += [((rows,), torch.int64)] * get_video_id + [((rows,), torch.int32)] * get_start_frame
    return made + [torch.empty(shape, dtype=dtype, device="meta") for shape, dtype in numbers]


@op(
    "VideoInput: reader -> +outputs",
    gradient=NONE,
    host="reader",
    shape=_shapes,
    random=True,
    differs="a record that cannot be read is an error: the original leaves its part of the batch as it was in memory",
)
class VideoInput(Decoding):
    """Clips and labels from a database of videos: data = (frames - mean) / deviation, cropped, red first.

    A record is a TensorProtos of the video (a file's bytes, or its path with use_local_file), the label (int32), with
    decode_type 2 the frame where the clip begins (int32), and with get_video_id the video's number (int64). Means and
    deviations are fixed. Videos with too few frames go on with their last one.

    reader: of a database, as CreateDB makes it.
    outputs: those asked for, in this order: frames (B, 3, length_rgb, crop_size, crop_size), float32; optical flow
        (B, C, length_of, crop_size, crop_size), float32; labels (B), or (B, num_of_class), int32; numbers of the videos
        (B), int64; first frames (B), int32. B = batch_size * clips * crop_per_clip.
    batch_size: videos a run.
    clip_per_video: clips of each, from its beginning to its end evenly (decode_type 1).
    clip_start_positions: the frames where clips begin, instead of clip_per_video (decode_type 1).
    crop_size: height and width of what is cut out.
    crop_per_clip: how many parts are cut out, along the longer side evenly; without random_crop.
    random_crop: cut out anywhere, not at the center.
    random_mirror: every part is mirrored with probability 1/2.
    video_res_type: frames become scale_h x scale_w (0), or their shorter side short_edge (1), or stay as they are
        unless they are smaller than crop_size (2).
    scale_h, scale_w, short_edge: see video_res_type.
    jitter_scales: the length of the shorter side is drawn from these for each video.
    decode_type: clips begin anywhere (0), evenly spaced (1), at the frame that the record says (2).
    get_rgb, get_optical_flow, get_video_id, get_start_frame: whether there are these outputs.
    length_rgb: frames of a clip.
    sampling_rate_rgb: every which frame is taken.
    random_sampling_rate: the most that it is drawn from, instead of it; 0: it is not.
    channels_rgb, channels_of: accepted and ignored; there are 3, and as many as flow_data_type says.
    length_of, sampling_rate_of: the same for flow.
    frame_gap_of: how many frames a flow spans.
    do_flow_aggregation: a flow is made of those from frame to frame.
    flow_data_type: flow alone (0), with its magnitude (1), with gray (2), with red, green and blue (3).
    flow_alg_type: Farneback (0) or TV-L1 (3), by OpenCV.
    do_multi_label: a label has num_of_class numbers, 1 where it holds.
    num_of_class: see do_multi_label.
    use_local_file: records have paths of files.
    image_as_input: records have pictures, as those of ImageInput, blue first; clips are of one frame.
    num_decode_threads: how many threads decode.
    """

    clip_per_video: int = 1
    clip_start_positions: tuple[int, ...] = ()
    channels_rgb: int = 3
    channels_of: int = 2
    crop_size: int = 0
    scale_h: int = 0
    scale_w: int = 0
    short_edge: int = 0
    jitter_scales: tuple[int, ...] = ()
    length_rgb: int = 0
    sampling_rate_rgb: int = 1
    random_sampling_rate: int = 0
    length_of: int = 0
    sampling_rate_of: int = 1
    frame_gap_of: int = 1
    random_mirror: bool = True
    num_of_class: int = 0
    use_local_file: bool = False
    random_crop: bool = True
    crop_per_clip: int = 1
    flow_data_type: int = 0
    flow_alg_type: int = 0
    decode_type: int = JITTER
    video_res_type: int = WIDTH_HEIGHT
    do_flow_aggregation: bool = True
    image_as_input: bool = False
    get_rgb: bool = True
    get_optical_flow: bool = False
    get_video_id: bool = False
    get_start_frame: bool = False
    do_multi_label: bool = False
    num_decode_threads: int = 4
    count: OutputCount

    def bind(self, site: Site) -> None:
        if self.image_as_input:
            self.get_rgb, self.get_optical_flow = True, False
            self.length_rgb = self.sampling_rate_rgb = self.clip_per_video = 1
            self.random_sampling_rate, self.clip_start_positions = 0, ()
        self._demand()
        if self.get_optical_flow:
            video.demand_flow(self.flow_alg_type)
        needed = [0]
        if self.get_rgb:
            needed.append((self.length_rgb - 1) * max(self.sampling_rate_rgb, self.random_sampling_rate) + 1)
        if self.get_optical_flow:
            needed.append((self.length_of - 1) * self.sampling_rate_of + self.frame_gap_of + 1)
        self.needed = max(needed)

    def _demand(self) -> None:
        side = {WIDTH_HEIGHT: min(self.scale_h, self.scale_w), SHORT_EDGE: self.short_edge, ORIGINAL: self.crop_size}
        asked = self.get_rgb + self.get_optical_flow + 1 + self.get_video_id + self.get_start_frame
        several = self.clip_per_video > 1 or bool(self.clip_start_positions)
        for wrong, why in (
            (self.batch_size < 1, f"batch_size is {self.batch_size}, not positive"),
            (self.num_decode_threads < 1, f"num_decode_threads is {self.num_decode_threads}, not positive"),
            (min(self.clip_per_video, self.crop_per_clip) < 1, "clip_per_video and crop_per_clip are positive"),
            (self.crop_size < 1, "crop_size is needed, and positive"),
            (not (self.get_rgb or self.get_optical_flow), "neither get_rgb nor get_optical_flow"),
            (self.get_rgb and min(self.length_rgb, self.sampling_rate_rgb) < 1, "length_rgb and its rate are positive"),
            (self.random_sampling_rate < 0, f"random_sampling_rate is {self.random_sampling_rate}, negative"),
            (
                self.get_optical_flow and min(self.length_of, self.sampling_rate_of, self.frame_gap_of) < 1,
                "length_of, sampling_rate_of and frame_gap_of are positive",
            ),
            (not 0 <= self.flow_data_type < len(FLOW_CHANNELS), f"flow_data_type is {self.flow_data_type}, not 0 to 3"),
            (self.decode_type not in (JITTER, UNIFORM, START), f"decode_type is {self.decode_type}, not 0 to 2"),
            (self.video_res_type not in side, f"video_res_type is {self.video_res_type}, not 0 to 2"),
            (self.image_as_input and self.video_res_type != WIDTH_HEIGHT, "pictures take video_res_type 0"),
            (
                side.get(self.video_res_type, 0) < self.crop_size,
                f"frames become smaller than crop_size, {self.crop_size}",
            ),
            (self.jitter_scales and self.video_res_type != SHORT_EDGE, "jitter_scales goes with video_res_type 1"),
            (self.jitter_scales and min(self.jitter_scales) < self.crop_size, "a jitter scale is less than crop_size"),
            (self.random_crop and self.crop_per_clip > 1, "several crops go without random_crop"),
            (several and self.decode_type != UNIFORM, "several clips of a video go with decode_type 1"),
            (min(self.clip_start_positions, default=0) < 0, "clips begin at no negative frame"),
            (
                self.get_start_frame and (self.decode_type != START or self.clip_per_video > 1),
                "get_start_frame goes with decode_type 2 and one clip a video",
            ),
            (self.do_multi_label and self.num_of_class < 1, "do_multi_label needs num_of_class"),
            (self.count != asked, f"{asked} outputs are asked for, and there are {self.count}"),
        ):
            if wrong:
                raise EnforceNotMet(f"VideoInput: {why}")

    def read(self, source: DBReader) -> list[Tensor]:
        found = self.decoded(source, self.num_decode_threads)
        return [torch.from_numpy(np.concatenate(column)) for column in zip(*found)]

    def _one(self, entry: tuple[bytes, bytes], seed: int) -> list[np.ndarray]:
        """The part of each output that comes of a record."""
        key, content = entry
        rng, found = np.random.default_rng(seed), self._example(content, key)
        clips = self._clips(found, key, rng)
        parts = [self._part(clip, at, rng) for clip in clips for at in range(self.crop_per_clip)]
        outputs = [np.stack(column) for column in zip(*parts)]
        outputs.append(np.stack([found.label] * len(parts)))
        outputs += [np.full(len(parts), found.id, np.int64)] * self.get_video_id
        return outputs + [np.full(len(parts), found.start, np.int32)] * self.get_start_frame

    def _example(self, content: bytes, key: bytes) -> Example:
        protos = list(record.parsed(content, caffe2_pb2.TensorProtos, key).protos)
        wanted = 2 + (self.decode_type == START and not self.image_as_input) + self.get_video_id
        if len(protos) < wanted:
            raise MessageError(f"the record {key!r} has {len(protos)} tensors; {wanted} are wanted")
        label = self._label(record.numbers(protos[1], "the label"), key)
        more = [record.numbers(p, "a number of the video") for p in protos[2:wanted]]
        if any(n.size != 1 for n in more):
            raise MessageError(f"the record {key!r} has {[n.size for n in more]} numbers where one each is wanted")
        start = int(more.pop(0)[0]) if len(more) > self.get_video_id else 0
        picture = record.picture(protos[0], key) if self.image_as_input else self._video(protos[0], key)
        return Example(picture, label, start, int(more[0][0]) if more else 0)

    def _video(self, proto: caffe2_pb2.TensorProto, key: bytes) -> bytes | str:
        if proto.data_type == caffe2_pb2.TensorProto.STRING and len(proto.string_data) == 1:
            content = proto.string_data[0]
            return content.decode() if self.use_local_file else content
        if proto.data_type != caffe2_pb2.TensorProto.BYTE or self.use_local_file:
            what = "path" if self.use_local_file else "file's bytes"
            raise MessageError(f"the video of record {key!r} is no string with a {what}")
        return proto.byte_data

    def _label(self, given: np.ndarray, key: bytes) -> np.ndarray:
        if not self.do_multi_label:
            if given.size < 1:
                raise MessageError(f"the record {key!r} has no label")
            return np.int32(given[0])
        if given.size and not 0 <= given.min() <= given.max() < self.num_of_class:
            raise EnforceNotMet(
                f"VideoInput: record {key!r} has labels {given.tolist()} of {self.num_of_class} classes"
            )
        label = np.zeros(self.num_of_class, np.int32)
        label[given.astype(int)] = 1
        return label

    def _clips(self, found: Example, key: bytes, rng: np.random.Generator) -> list[np.ndarray]:
        """The clips of a record, each uint8 (T, H, W, 3)."""
        if self.image_as_input:
            picture = record.pixels(found.picture, color=True)
            return [sampling.resized(picture, self.scale_h, self.scale_w).numpy()[None]]
        short = int(rng.choice(self.jitter_scales)) if self.jitter_scales else self.short_edge
        size = Size(self.video_res_type, self.scale_h, self.scale_w, short, self.crop_size)

        def choose(count: int) -> list[range]:
            if self.decode_type == UNIFORM:
                begin = video.starts(count, self.needed, self.clip_per_video, self.clip_start_positions)
            elif self.decode_type == START:
                begin = [found.start]
            else:
                begin = [int(rng.integers(max(count - self.needed, 0) + 1))]
            return [range(at, at + self.needed) for at in begin]

        if found.start < 0:
            raise EnforceNotMet(f"VideoInput: record {key!r} begins at frame {found.start}")
        try:
            return video.frames(found.picture, size, choose)
        except EnforceNotMet as error:
            raise EnforceNotMet(f"VideoInput: record {key!r}: {error}") from None

    def _part(self, clip: np.ndarray, at: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Frames and flow, as asked for, of one crop of a clip."""
        height, width = clip.shape[1:3]
        if self.random_crop:
            top, left = (int(rng.integers(n - self.crop_size + 1)) for n in (height, width))
        else:
            top, left = video.corner(height, width, self.crop_size, at, self.crop_per_clip)
        rate = (
            int(rng.integers(1, self.random_sampling_rate + 1)) if self.random_sampling_rate else self.sampling_rate_rgb
        )
        cut = clip[:, top : top + self.crop_size, left : left + self.crop_size]
        if self.random_mirror and rng.integers(2):
            cut = cut[:, :, ::-1]
        made = []
        if self.get_rgb:
            made.append(_normalized(cut[: (self.length_rgb - 1) * rate + 1 : rate], (4, 5, 6)))
        if self.get_optical_flow:
            values = [
                self._flow(cut[k * self.sampling_rate_of :][: self.frame_gap_of + 1]) for k in range(self.length_of)
            ]
            made.append(_normalized(np.stack(values), FLOW_CHANNELS[self.flow_data_type]))
        return made

    def _flow(self, images: np.ndarray) -> np.ndarray:
        """The channels of one frame of flow, (H, W, C)."""
        images = np.ascontiguousarray(images if self.do_flow_aggregation else images[[0, -1]])
        found = video.flow(images, self.flow_alg_type)
        first = images[0].astype(np.float32)
        more = {1: np.abs(found).sum(-1, keepdims=True), 2: (first @ GRAY)[..., None], 3: first}
        return np.concatenate([found, *(v for k, v in more.items() if k == self.flow_data_type)], -1)


def _normalized(values: np.ndarray, channels: tuple[int, ...]) -> np.ndarray:
    """Frames (T, H, W, C) as (C, T, H, W), of mean 0 and deviation 1."""
    mean, deviation = (np.float32([table[c] for c in channels]) for table in (MEAN, DEVIATION))
    return ((values - mean) / deviation).transpose(3, 0, 1, 2).astype(np.float32, copy=False)
