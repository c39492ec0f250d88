import numpy as np
import pytest

from caffe2.python import visualize


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    images = []

    class Canvas:
        @staticmethod
        def imshow(image, **options):
            images.append((image, options))

        @staticmethod
        def axis(state):
            assert state == "off"

    monkeypatch.setattr(visualize, "pyplot", Canvas)
    return images


def test_channels_move():
    array = np.arange(24).reshape(2, 3, 4)
    assert np.array_equal(visualize.ChannelLast(array), array.transpose(1, 2, 0))
    assert np.array_equal(visualize.ChannelFirst(visualize.ChannelLast(array)), array)


def test_patches_stand_in_a_square_with_gaps(drawn):
    patches = np.stack([np.full((2, 3), float(i)) for i in range(3)])
    image = visualize.PatchVisualizer(gap=1).ShowMultiple(patches, bg_func=lambda p: -1)
    row = [0, 0, 0, -1, 1, 1, 1]
    last = [2, 2, 2, -1, -1, -1, -1]
    assert image.tolist() == [row, row, [-1] * 7, last, last]
    assert drawn == [(image, {"cmap": "gray", "interpolation": "nearest"})]


def test_flat_patches_are_squares_of_one_channel_or_three():
    assert visualize.PatchVisualizer().ShowSingle(np.zeros(16)).shape == (4, 4)
    assert visualize.PatchVisualizer().ShowSingle(np.zeros(12)).shape == (2, 2, 3)
    assert visualize.PatchVisualizer(gap=0).ShowMultiple(np.zeros((2, 12))).shape == (2, 4, 3)
    with pytest.raises(ValueError, match="7 values"):
        visualize.PatchVisualizer().ShowSingle(np.zeros(7))


def test_images_are_scaled():
    image = visualize.PatchVisualizer().ShowImages(np.array([[[-2.0, 2.0], [0.0, 0.0]]]))
    np.testing.assert_allclose(image, [[0, 1], [0.5, 0.5]])


def test_channels_of_one_patch(drawn):
    visualize.NCHW.ShowChannels(np.arange(8.0).reshape(2, 2, 2))
    assert drawn[0][0][:, :2].tolist() == [[0, 1], [2, 3]]
    assert drawn[0][0][:, 3:].tolist() == [[4, 5], [6, 7]]


def test_without_matplotlib(monkeypatch):
    monkeypatch.setattr(visualize, "pyplot", None)
    with pytest.raises(ImportError, match="matplotlib"):
        visualize.NHWC.ShowSingle(np.zeros((2, 2)))
