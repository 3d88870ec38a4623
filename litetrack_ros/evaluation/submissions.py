"""Archives for the servers that keep the ground truth to themselves, and for GOT-10k's toolkit."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation.results import read_run
from litetrack_ros.files import replacing
from litetrack_ros.geometry import FloatArray

_EPOCH = (1980, 1, 1, 0, 0, 0)  # equal results give equal bytes


def got10k_files(name: str, boxes_xywh: FloatArray, times_s: FloatArray) -> dict[str, str]:
    """The files of a sequence as GOT-10k's toolkit writes and packs them.

    ``NAME/NAME_001.txt`` has ``x,y,w,h`` with three decimals, ``NAME/NAME_time.txt`` seconds with
    eight. There is one repetition, as of every deterministic tracker.
    """
    return {
        f"{name}/{name}_001.txt": "".join(
            ",".join(f"{v:.3f}" for v in box) + "\n" for box in boxes_xywh
        ),
        f"{name}/{name}_time.txt": "".join(f"{t:.8f}\n" for t in times_s),
    }


def trackingnet_files(name: str, boxes_xywh: FloatArray, times_s: FloatArray) -> dict[str, str]:
    """The file of a sequence for TrackingNet's server: ``NAME.txt`` with ``x,y,w,h`` lines."""
    return {f"{name}.txt": "".join(",".join(f"{v:.3f}" for v in b) + "\n" for b in boxes_xywh)}


PACKED = {
    "got10k_test": got10k_files,
    "got10k_val": got10k_files,  # for the toolkit's own report
    "trackingnet": trackingnet_files,
}


def write_submission(
    benchmark: str, sequences: Sequence[AnnotatedSequence], results: Path, archive: Path
) -> int:
    """Pack a tracker's results.

    Args:
        benchmark: a key of :data:`PACKED`.
        sequences: all sequences of the benchmark.
        results: the tracker's folder.
        archive: the zip file to write.

    Returns:
        The number of sequences packed.

    Raises:
        DatasetError: nobody takes such an archive, or a result is missing or incomplete.
    """
    if benchmark not in PACKED:
        raise DatasetError(f"no server takes '{benchmark}': choose from {', '.join(PACKED)}")
    files: dict[str, str] = {}
    for sequence in sequences:
        run = read_run(results, sequence.name)
        boxes, times = run.boxes_xywh, run.call_s
        if len(boxes) != len(sequence) or not np.isfinite(boxes).all():
            raise DatasetError(
                f"the result of {sequence.name} in {results} has {len(boxes)} boxes for "
                f"{len(sequence)} frames, or one that is not finite: run it again"
            )
        times = times if times.size else np.zeros(len(boxes))
        if len(times) != len(boxes):
            raise DatasetError(
                f"{results} has {len(times)} times for the {len(boxes)} boxes of {sequence.name}"
            )
        files |= PACKED[benchmark](sequence.name, boxes, times)
    with replacing(archive) as temporary, zipfile.ZipFile(temporary, "w") as packed:
        for name in sorted(files):
            information = zipfile.ZipInfo(name, _EPOCH)
            information.compress_type = zipfile.ZIP_DEFLATED
            information.external_attr = 0o644 << 16
            packed.writestr(information, files[name])
    return len(sequences)
