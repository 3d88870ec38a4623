"""Records the golden outputs anew: ``python test/golden/record.py [CASE ...]``.

Only for a change that is meant: what is recorded says what the code did before it. The files made
before (``recorded/model``, ``recorded/run.tar.xz``) are never made anew.
"""

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "helpers"), str(Path(__file__).parents[2])]

import golden_runs as runs  # noqa: E402


def main(chosen: list[str]) -> None:
    """Record the chosen cases, or all of them with the library's values."""
    with tempfile.TemporaryDirectory() as folder:
        places = runs.Places(Path(folder))
        for name in chosen or runs.CASES:
            runs.write_recorded(name, runs.run_case(name, places))
            print(name, flush=True)
        if not chosen:
            runs.record_library(places)
            runs.record_environment()


if __name__ == "__main__":
    main(sys.argv[1:])
