"""What the commands and the library gave on fixed inputs when it was recorded, they give today.

The commands stand in ``test/helpers/golden_cases.py``; how their files are read and compared, and
what is left out as it depends on time or machine, in ``golden_values.py``; the few imports from the
package in ``golden_doors.py``. Standard output and HTML are not compared. Another version of a
library, or another kind of processor, loosens the comparison (``recorded/environment.json``).

A change that is meant is recorded with ``python test/golden/record.py [CASE ...]``.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
for _package in ("onnx", "onnxruntime", "rosbags", "safetensors", "tqdm"):
    pytest.importorskip(_package)

import golden_runs as runs  # noqa: E402
from golden_cases import CASES, Case  # noqa: E402
from golden_values import RECORDED, difference_of_environments, differences  # noqa: E402

SHIPPED_TOLERANCE_PX = 1e-6


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> runs.Places:
    """The inputs."""
    return runs.Places(tmp_path_factory.mktemp("golden"))


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sums in one order; and what a verb sets for its process, put back."""
    threads, cv_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    yield
    torch.set_num_threads(threads)
    cv2.setNumThreads(cv_threads)


def _parameter(name: str, case: Case) -> object:
    return pytest.param(name, marks=[getattr(pytest.mark, mark) for mark in case.marks], id=name)


@pytest.mark.parametrize("name", [_parameter(name, case) for name, case in CASES.items()])
def test_commands(name: str, places: runs.Places) -> None:
    tracker = CASES[name].tracker
    if tracker and not _has_tracker(tracker):
        pytest.skip(f"this OpenCV has no {tracker}; a contrib flavour has")
    exact = not difference_of_environments()
    _assert_same(runs.run_case(name, places), runs.read_recorded(name), exact)


def test_the_library_s_tracks(places: runs.Places) -> None:
    exact = not difference_of_environments()
    _assert_same(runs.library_tracks(places), runs.read_recorded("library_tracks"), exact)


def test_pairs(places: runs.Places) -> None:
    """Every byte; with other libraries, shapes, types, means and spreads."""
    exact = not difference_of_environments("cv2", "numpy")
    _assert_same(runs.pair_digests(places), runs.read_recorded("pairs"), exact)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    sorted({key.partition("/")[0] for key in np.load(RECORDED / "shipped_tracks.npz").files}),
)
def test_the_shipped_model_s_tracks(name: str) -> None:
    """Boxes within 1e-6 px, scores and states, with both backends, on the recorded sequences."""
    folder = runs.sequences_folder()
    if not folder.is_dir():
        pytest.skip(f"no recorded sequences: {folder} does not exist (set LITETRACK_SEQUENCES)")
    difference = difference_of_environments()
    if difference:
        pytest.skip(f"a closed loop repeats to 1e-6 px on the same machine alone: {difference}")
    recorded = np.load(RECORDED / "shipped_tracks.npz")
    found = runs.shipped_tracks(folder / name)
    for key, value in found.items():
        expected = recorded[f"{name}/{key}"]
        np.testing.assert_allclose(value, expected, rtol=0, atol=SHIPPED_TOLERANCE_PX, err_msg=key)


def _has_tracker(name: str) -> bool:
    return hasattr(getattr(cv2, "legacy", cv2), f"Tracker{name.upper()}_create") or hasattr(
        cv2, f"Tracker{name.upper()}_create"
    )


def _assert_same(found: object, recorded: object, exact: bool) -> None:
    lines = differences(found, recorded, exact)
    hint = "" if exact else f" ({difference_of_environments()})"
    assert not lines, "\n".join([f"{len(lines)} differences{hint}", *lines[:20]])
