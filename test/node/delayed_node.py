"""The tracker node with a slow model: DELAY_S seconds a search. Only tests start it."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

from delaying_backend import delaying_opener

from litetrack_ros.node.program import run_program

run_program(delaying_opener(float(os.environ["DELAY_S"])))
