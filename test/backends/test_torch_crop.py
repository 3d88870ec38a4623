"""Crops cut by the device are those that OpenCV cuts, and a tracker takes them where told to."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from litetrack_ros.crop import CropRegion, extract_crop, extract_crops
from litetrack_ros.images import to_rgb8
from litetrack_ros.media.scene import DrawnScene

torch = pytest.importorskip("torch")

DEVELOPMENT = Path(__file__).resolve().parents[3] / "shared" / "development"

BOXES = [
    (300, 200, 60, 48), (0, 0, 40, 30), (600, 450, 40, 30), (-30, 100, 50, 60), (100, 460, 90, 60),
    (1, 1, 638, 478), (320.4, 240.6, 8.2, 9.7), (200, 100, 64, 64), (637, 477, 3, 3),
    (-400, -300, 50, 50), (0, 0, 640, 480), (900, 700, 40, 40),
]  # fmt: skip


def image_of(kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    if kind == "scene":
        return DrawnScene(640, 480, 1).frame(0)
    return rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("kind", "order", "factor", "size_px"),
    [
        ("scene", "bgr", 4.0, 256),
        ("noise", "rgb", 4.0, 256),
        ("noise", "bgr", 2.0, 128),
        ("noise", "bgr", 4.5, 224),
    ],
)
def test_at_most_one_grey_level_off(kind: str, order: str, factor: float, size_px: int) -> None:
    """All together from one piece of the image, and each from a piece of its own."""
    from litetrack_ros.backends.torch_crop import Uploader, cut_there

    rng = np.random.default_rng(0)
    image = image_of(kind)
    regions = [CropRegion.around(box, factor, size_px) for box in BOXES]
    regions += [
        CropRegion.around((*rng.uniform((-50, -50), (650, 490)), *rng.uniform(4, 300, 2)), factor,
                          size_px)
        for _ in range(20)
    ]  # fmt: skip
    uploader = Uploader(torch.device("cpu"))
    together = cut_there(uploader, image, regions, order == "bgr").numpy()
    for index, region in enumerate(regions):
        expected = to_rgb8(extract_crop(image, region), order).astype(int)
        assert np.abs(together[index].astype(int) - expected).max() <= 1, region
        if index < len(BOXES):
            alone = cut_there(uploader, image, [region], order == "bgr").numpy()[0]
            np.testing.assert_array_equal(alone, together[index])


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2), (5, 3)])
def test_images_of_hardly_any_size(shape: tuple[int, int]) -> None:
    from litetrack_ros.backends.torch_crop import Uploader, cut_there

    image = np.full((*shape, 3), 200, np.uint8)
    regions = [CropRegion.around(box, 4.0, 64) for box in ((0, 0, 1, 1), (2, 1, 5, 3))]
    found = cut_there(Uploader(torch.device("cpu")), image, regions, True).numpy()
    expected = extract_crops(image, regions, "bgr")
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize(
    "cut_pixels", [None, (slice(None), slice(100, 500)), (slice(None, None, 2),)]
)
def test_images_that_are_views(cut_pixels) -> None:
    from litetrack_ros.backends.torch_crop import Uploader, cut_there

    image = image_of("noise") if cut_pixels is None else image_of("noise")[cut_pixels]
    regions = [CropRegion.around(BOXES[0], 4.0, 256)]
    found = cut_there(Uploader(torch.device("cpu")), image, regions, True).numpy()
    expected = extract_crops(np.ascontiguousarray(image), regions, "bgr")
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize(
    ("size", "box", "targets", "there"),
    [
        ((640, 480), (300, 200, 60, 48), 1, False),
        ((640, 480), (300, 200, 60, 48), 8, True),
        ((1920, 1080), (660, 340, 600, 400), 1, False),
        ((1920, 1080), (660, 340, 600, 400), 8, True),
        ((3840, 2160), (30, 20, 60, 48), 2, False),
    ],
)
def test_sizes_alone_say_what_is_faster(size, box, targets: int, there: bool) -> None:
    from litetrack_ros.backends.torch_crop import device_is_faster

    image = np.zeros((size[1], size[0], 3), np.uint8)
    assert device_is_faster(image, [CropRegion.around(box, 4.0, 256)] * targets) is there


@pytest.fixture(scope="module")
def pair():
    """The shipped model that cuts on the device, here the CPU, and with OpenCV."""
    from litetrack_ros.backends.registry import find_model
    from litetrack_ros.backends.torch_backend import TorchBackend
    from litetrack_ros.config import DEFAULT_MODEL
    from litetrack_ros.model.checkpoint import load_weights

    weights = load_weights(find_model(DEFAULT_MODEL).with_suffix(".safetensors"))
    return [TorchBackend(weights, cuts_there=on) for on in (True, False)]


def test_closed_loop_boxes_stay_within_half_a_pixel(pair) -> None:
    from litetrack_ros.tracker.tracker import MultiTracker

    scene = [(image, np.asarray(box)) for image, box in DrawnScene(640, 480, 7)]
    found = []
    for backend in pair:
        tracker = MultiTracker(backend)
        tracker.init(*scene[0], "toy")
        tracker.init(scene[0][0], (20, 30, 60, 50), "leaf")
        found.append([[r.box_xywh for r in tracker.update(image)] for image, _ in scene[1:]])
    there, here = (np.array(boxes) for boxes in found)
    assert there.shape == here.shape == (6, 2, 4)
    assert np.abs(there - here).mean() < 0.5


@pytest.mark.slow
@pytest.mark.skipif(not DEVELOPMENT.is_dir(), reason=f"{DEVELOPMENT} does not exist")
def test_closed_loops_on_real_sequences_stay_within_half_a_pixel(pair) -> None:
    """Sequences whose targets the shipped model does not lose; LITETRACK_CROP_FRAMES of each."""
    from litetrack_ros.datasets.sequences import read_sequence
    from litetrack_ros.tracker.following import follow
    from litetrack_ros.tracker.tracker import Tracker

    count = int(os.environ.get("LITETRACK_CROP_FRAMES", "25"))
    for name in ("otb_couple", "otb_dog1", "tb_biker", "tlp_carchase2", "uavdt_s1606"):
        sequence = read_sequence(DEVELOPMENT / name)
        found = []
        for backend in pair:
            images = (frame.image for frame in itertools.islice(sequence.frames(), count))
            steps = follow(Tracker(backend), images, sequence.boxes_xywh[0])
            found.append([step.result.box_xywh for step in steps if step.result is not None])
        there, here = (np.array(boxes) for boxes in found)
        off = np.abs(there - here)
        print(f"{name}: {len(there)} boxes, {off.mean():.4f} px off, at most {off.max():.3f}")
        assert there.shape == here.shape and off.mean() < 0.5


def test_only_images_of_three_channels_and_8_bits_are_cut_there(pair) -> None:
    there, here = pair
    region = [CropRegion.around(BOXES[0], 4.0, there.model_config.search_size)]
    grey = np.zeros((480, 640), np.uint8)
    for image in (grey, grey.astype(np.uint16), np.zeros((480, 640, 4), np.uint8)):
        np.testing.assert_array_equal(
            there.cut(image, region, "bgr"), here.cut(image, region, "bgr")
        )
    image = image_of("scene")
    assert isinstance(there.cut(image, region, "bgr"), torch.Tensor)
    assert isinstance(here.cut(image, region, "bgr"), np.ndarray)


def test_a_frame_waits_for_the_device_once() -> None:
    """Nothing asks for a number of the device, or copies to it in a way that waits."""
    from saved_models import boxes_norm, noise_crops
    from small_models import small_backend, small_model
    from torch.utils._python_dispatch import TorchDispatchMode

    from litetrack_ros.backends.torch_backend import TorchBackend
    from litetrack_ros.model.checkpoint import LoadedWeights

    usual = small_backend()
    weights = LoadedWeights(small_model(), usual.tracker_config, "0" * 64, {})
    backend = TorchBackend(weights, is_static=True, cuts_there=True)
    model = backend.model_config
    template = backend.encode_template(noise_crops(1, model.template_size, 1), boxes_norm(1))
    regions = [CropRegion.around(BOXES[0], 4.0, model.search_size)]
    image = image_of("noise")
    crops = backend.cut(image, regions, "bgr")
    for one, other in zip(
        backend.search(crops, template), backend.search(crops.numpy(), template), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    seen: list[tuple[str, dict]] = []

    class Witness(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            seen.append((str(function), {**(kwargs or {}), "args": args[2:]}))
            return function(*args, **(kwargs or {}))

    with Witness():
        backend.search(backend.cut(image, regions, "bgr"), template)
    names = [name for name, _ in seen]
    waiting = ("_local_scalar_dense", "nonzero", "is_nonzero", "masked_select", "unique", "equal")
    assert not [name for name in names if any(word in name for word in waiting)]
    # Image and places go in one copy, the answer comes back in one; both say that nobody waits.
    copies = [given for name, given in seen if "copy_.default" in name and given["args"] == (True,)]
    assert len(copies) >= 2
    assert not [
        given
        for _, given in seen
        if given.get("device") is not None and given.get("non_blocking") is False
    ]
