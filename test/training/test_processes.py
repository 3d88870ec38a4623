"""Two processes under `torchrun` against one with twice the batch."""

import os
import subprocess
import sys
from pathlib import Path

import torch

from litetrack_ros.training.recipe import Recipe

SCRIPT = """
import sys
from pathlib import Path

import torch

sys.path.insert(0, sys.argv[3])
from conftest import Squares
from litetrack_ros.config import ModelConfig
from litetrack_ros.settings import from_mapping, read_yaml
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.training.batches import StepBatches
from litetrack_ros.training.losses import LossWeights, pair_losses
from litetrack_ros.training.network import TrainedNetwork
from litetrack_ros.training.processes import process_group
from litetrack_ros.training.validation import validate


class Present:
    def pair(self, index):
        return Squares().pair(8 * index)


torch.set_num_threads(1)
with process_group("cpu") as group:
    torch.manual_seed(0)
    config = from_mapping(ModelConfig, read_yaml(Path(sys.argv[1])), sys.argv[1])
    network = TrainedNetwork(LiteTrack(config), freeze_stem=False).eval()
    wrapped = group.wrap(network)
    batch = StepBatches(Present(), 8 // group.world_size, group.rank, group.world_size)[3]
    maps = wrapped(batch)
    weights = LossWeights(1.0, 0.0, 0.0)  # boxes are averaged over cells, which differ in number
    loss = pair_losses(maps, batch.search_boxes_cxcywh_norm, batch.present, weights, False).total
    loss.backward()
    assert group.any_process(group.rank == group.world_size - 1)
    assert not group.any_process(False)
    assert group.gather(group.share(list("abcde"))) == list("abcde")
    assert group.gather(group.share(["a"])) == ["a"]
    held_out = [StepBatches(Squares(), 4)[k] for k in range(3)]
    report = validate(network, group.share(held_out), group)
    reports = group.gather([report])
    assert reports == [report] * group.world_size
    if group.rank == 0:
        gradients = {n: p.grad for n, p in network.named_parameters()}
        torch.save({"gradients": gradients, "report": tuple(report)}, sys.argv[2])
"""


def test_two_processes_have_the_gradients_and_figures_of_one(
    tiny_recipe: Recipe, tmp_path: Path
) -> None:
    script = tmp_path / "gradients.py"
    script.write_text(SCRIPT)
    here = str(Path(__file__).parent)
    alone = [sys.executable, str(script), tiny_recipe.model, str(tmp_path / "1.pt"), here]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    together = [*launcher, str(script), tiny_recipe.model, str(tmp_path / "2.pt"), here]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for command in (alone, together):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
    one, two = (torch.load(tmp_path / f"{count}.pt", weights_only=True) for count in (1, 2))
    for name, gradient in one["gradients"].items():
        torch.testing.assert_close(two["gradients"][name], gradient, rtol=1e-4, atol=1e-6)
    assert sum(float(g.abs().sum()) for g in one["gradients"].values()) > 0
    assert two["report"] == one["report"]  # of the same batches, in the same order
