"""Every command that the README and its pages show does what it says, typed as it stands there, and every link leads
somewhere."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import BERKA, ROOT, Bank, OpenBank, outside, tracker

PAGES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("publishing", "marketing", "operating", "history", "developing")),
)
TEXT = "\n".join((ROOT / page).read_text("utf-8") for page in PAGES)
LINKING = ["README.md", *sorted(str(file.relative_to(ROOT)) for file in (ROOT / "docs").glob("*.md"))]
BLOCKS = [block.strip() for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)]
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
MENTIONED = sorted(set(re.findall(r"`((?:tracker|make) [^`]+)`", TEXT)))
PLACEHOLDERS = re.compile(r"\b(FILE|ID)\b")
COMMAND_SECONDS_MAX = 100


@pytest.fixture(scope="module")
def bank(open_bank: OpenBank) -> Bank:
    """Servers for the commands that the README shows to operators."""
    bank: Bank = open_bank(partitions=2)
    return bank


@pytest.fixture
def shell(tmp_path: Path) -> "Shell":
    """A shell in a directory from which everything looks as from the project's root."""
    for entry in ROOT.iterdir():
        if entry.name not in ("var", ".git"):
            (tmp_path / entry.name).symlink_to(entry)
    return Shell(tmp_path)


class Shell:
    """Runs a line as a reader of the README would, with `tracker` on the path."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(self, line: str, environment: dict[str, str] | None = None) -> str:
        """What the line prints. It must succeed."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        line = line.replace("../shared/data", str(BERKA.parent))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=self.directory,
            env=(outside() if environment is None else environment) | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout


def test_every_command_of_a_block_is_run_here() -> None:
    """What a test below runs; a command that a page gains must be added to one."""
    assert [*MAKE, *OPERATORS, *LEARNING, *SCIENTISTS] == COMMANDS


MAKE = ["make demo", "make test"]
OPERATORS = ["tracker topics create", "tracker offers publish commands/offers.toml", "tracker worker"]
LEARNING = [
    "tracker convert cdnow ../shared/data/cdnow/CDNOW_sample.txt -o cdnow.jsonl",
    "tracker backtest cdnow.jsonl --split 1997-10-01 --horizon 273 --predictions scores.csv --report report.html",
    "tracker train cdnow.jsonl --until 1997-10-01 --horizon 60 --out model.json",
    "tracker models promote model.json",
]
SCIENTISTS = [
    "tracker convert berka ../shared/data/berka -o berka.jsonl",
    "TRACKER_BASE_CURRENCY=CZK tracker replay berka.jsonl --alerts alerts.jsonl --profiles profiles.jsonl",
]


@pytest.mark.parametrize("page", LINKING)
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, heading = target.partition("#")
        file = ((ROOT / page).parent / path if path else ROOT / page).resolve()
        assert file.exists(), target
        if heading:
            assert heading in {_anchor(line) for line in re.findall(r"(?m)^#+ (.*)$", file.read_text("utf-8"))}, target


def _anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("target", [*MAKE, *(text for text in MENTIONED if text.startswith("make "))])
def test_a_target_of_make_is_there(target: str) -> None:
    """Not run from inside itself; what `make demo` runs is tests/river/test_demo.py's."""
    done = subprocess.run(
        ["make", "-n", *shlex.split(target)[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_make_demo_is_the_demo_with_its_data() -> None:
    command = ["make", "-n", "demo", "DATA=somewhere"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert 'tracker demo --data "somewhere"' in said


def test_operators_can_start_it(bank: Bank, shell: Shell) -> None:
    *before, worker = OPERATORS
    for line in before:
        shell.run(line, bank.environment())
    assert worker == "tracker worker"
    with bank.worker() as running:
        running.until_ready()


@pytest.mark.skipif(not BERKA.exists(), reason="the Berka data is not beside the project")
def test_data_scientists_can_look_at_history(shell: Shell) -> None:
    for line in SCIENTISTS:
        said = shell.run(line)
    assert "49,102 events" in said
    for name in ("alerts.jsonl", "profiles.jsonl"):
        assert json.loads((shell.directory / name).read_text().splitlines()[0])["customer_id"]


@pytest.mark.skipif(not BERKA.parent.joinpath("cdnow").is_dir(), reason="the CDNOW sample is not at ../shared/data")
def test_the_scientists_commands_learn_from_history(shell: Shell) -> None:
    for line in LEARNING:
        shell.run(line)
    assert len((shell.directory / "scores.csv").read_text().splitlines()) == 2_358
    assert (shell.directory / "models" / "champion").exists()


@pytest.mark.parametrize("command", [text for text in MENTIONED if text.startswith("tracker ")])
def test_a_command_in_the_text_is_one_that_there_is(command: str) -> None:
    words = [word for word in shlex.split(PLACEHOLDERS.sub("", command))[1:] if not word.startswith("-")]
    options = [word for word in shlex.split(command) if word.startswith("--")]
    said = tracker(*words, "--help").stdout
    assert all(option in said for option in options)
