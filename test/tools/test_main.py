"""The command itself: verbs, exit statuses, one line for an error."""

import argparse
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_type_hints

import pytest

import litetrack_ros
from litetrack_ros.config import ModelChoice
from litetrack_ros.tools.main import NOUNS, VERBS, load_verb, main
from litetrack_ros.tools.workers import WorkerChoice

COMMAND = [sys.executable, "-m", "litetrack_ros.tools.main"]
# A suite that a script starts in the background ignores SIGINT, and its children inherit that.
TAKES_CTRL_C = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from litetrack_ros.tools.main import main; sys.exit(main())"
)


EVERY_VERB = [(noun, verb) for noun, verbs in VERBS.items() for verb in verbs]
NO_VERBS = {"__init__", "main", "arguments", "workers"}


def test_every_module_of_the_command_is_a_verb_with_a_line_of_help():
    folder = Path(litetrack_ros.__file__).parent / "tools"
    modules = {path.relative_to(folder).with_suffix("").parts for path in folder.rglob("*.py")}
    found = {words for words in modules if words[-1] not in NO_VERBS}
    assert found == {
        (*([noun] if noun else []), verb.replace("-", "_")) for noun, verb in EVERY_VERB
    }
    assert all(about and not about.endswith(".") for v in VERBS.values() for about in v.values())
    assert VERBS.keys() == {"", *NOUNS}


@pytest.mark.parametrize(("noun", "verb"), EVERY_VERB)
def test_every_verb_explains_itself(noun: str, verb: str, capsys: pytest.CaptureFixture[str]):
    words = [*([noun] if noun else []), verb]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    assert f"usage: litetrack {' '.join(words)}" in capsys.readouterr().out


@pytest.mark.parametrize(("noun", "verb"), EVERY_VERB)
def test_every_argument_is_a_field_of_the_request(noun: str, verb: str):
    module = load_verb(noun, verb)
    parser = argparse.ArgumentParser(add_help=False)
    module.add_arguments(parser)
    fields = {field.name for field in dataclasses.fields(module.Request)}
    kinds = get_type_hints(module.Request)
    if kinds.get("model") is ModelChoice:
        fields |= {"backend", "device", "precision"}
    if kinds.get("workers") is WorkerChoice:
        fields = fields - {"workers"} | {"jobs", "ray", "gpu_part"}
    assert fields == {action.dest for action in parser._actions}


@pytest.mark.parametrize("noun", sorted(NOUNS))
def test_every_noun_lists_its_verbs(noun: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main([noun, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in VERBS[noun])


def test_version(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"litetrack {litetrack_ros.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["track"], ["track", "x", "--bogus"]])
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: litetrack" in capsys.readouterr().err


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate", "/nowhere/at/all"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "litetrack: there is no folder /nowhere/at/all\n"
    assert captured.out == ""


def test_help_needs_neither_torch_nor_opencv():
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['torch', 'cv2', 'onnxruntime', 'rclpy']))\n"
        "from litetrack_ros.tools.main import main\n"
        "main(['--help'])\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_closed_pipe_is_no_error(root: Path):
    """`litetrack ... | head`: the reader goes first."""
    process = subprocess.Popen(
        [*COMMAND, "model", "list"], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, b"")


def test_a_closed_or_full_output_is_told_in_a_line(root: Path):
    for redirection, status, said in (
        (">&-", 0, b""),
        (">/dev/full", 2, b"litetrack: cannot write the output: No space left on device\n"),
        (">&- 2>&-", 0, b""),
    ):
        command = f'exec "$@" {redirection}'
        words = ["sh", "-c", command, "sh", *COMMAND, "model", "list"]
        done = subprocess.run(words, cwd=root, stderr=subprocess.PIPE, timeout=120, check=False)
        assert (done.returncode, done.stderr) == (status, said), redirection


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGINT, 130, b"litetrack: interrupted\n"),
        (signal.SIGTERM, 143, b""),
        (signal.SIGHUP, 129, b""),
    ],
)
def test_a_signal_ends_it_and_leaves_nothing(
    root: Path,
    tmp_path: Path,
    square_sequence: Path,
    tiny_model: Path,
    number: int,
    status: int,
    said: bytes,
):
    frames = tmp_path / "frames"
    frames.mkdir()
    for index in range(20000):  # far longer than the test waits
        os.link(square_sequence / "frames" / f"{index % 12}.png", frames / f"{index}.png")
    boxes = tmp_path / "boxes.txt"
    arguments = ["track", str(frames), "--model", str(tiny_model), "--save-txt", str(boxes)]
    process = subprocess.Popen(
        [sys.executable, "-c", TAKES_CTRL_C, *arguments, "--init-box", "20", "40", "30", "30"],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"model: tiny")
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".boxes*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (status, said)
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]
