"""Every command that the pages show exists as it is written there; the quick ones are run."""

import re
import subprocess
from collections import defaultdict
from importlib.util import find_spec

import pytest
import yaml
from dvc.cli import parse_args as parse_dvc
from snakemake.cli import get_argument_parser
from typer.main import get_command

from spl.cli import app
from spl.config.load import load_params
from tests.conftest import REPOSITORY
from tests.docs.pages import shown_commands
from tests.workflow.conftest import Clone, copy_repository

RULES = {
    name
    for file in REPOSITORY.glob("workflow/rules/*.smk")
    for name in re.findall(r"^rule (\w+):", file.read_text(), re.M)
}
PLACEHOLDERS = ("…", "FILE", "[FOLDER]")


def commands_of(program: str) -> list[tuple[str, ...]]:
    """Return the arguments of every shown command of a program, without what stands for something else."""
    return [
        tuple(word for word in words[1:] if word not in PLACEHOLDERS)
        for words in shown_commands()
        if words[0] == program
    ]


def parse_spl(words: tuple[str, ...]) -> None:
    """Parse a command as `spl` would, but for a mere name."""
    command, words = get_command(app), list(words)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("-")} <= known
    if words and not hasattr(command, "commands"):
        command.make_context(command.name, words)


@pytest.mark.parametrize("words", commands_of("spl"), ids=" ".join)
def test_spl(words):
    parse_spl(words)


@pytest.mark.parametrize("words", commands_of("python") + commands_of("torchrun"), ids=" ".join)
def test_python(words):
    if "-m" in words:
        module, *arguments = words[words.index("-m") + 1 :]
        if module == "spl":
            parse_spl(tuple(arguments))
        else:
            assert find_spec(module), module
    elif words[0] == "-c":
        compile(words[1], "<page>", "exec")
    else:
        assert (REPOSITORY / words[0]).is_file()


@pytest.mark.parametrize("words", commands_of("make"), ids=" ".join)
def test_make(words):
    assert re.search(rf"^{words[0]}:.*  ## ", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("words", commands_of("dvc"), ids=" ".join)
def test_dvc(words):
    params = yaml.safe_load((REPOSITORY / "presets/demo.yaml").read_text())
    if words == ("remote", "add"):
        words = (*words, "name", "url")
    for change in getattr(parse_dvc(list(words)), "set_param", None) or ():
        value = params
        for key in change.partition("=")[0].split("."):
            assert value is None or key in value  # `grid` is null in the demo
            value = value and value[key]


@pytest.mark.parametrize("words", commands_of("sed"), ids=" ".join)
def test_what_sed_makes_of_a_preset_is_another_valid_one(words, tmp_path):
    *options, script, preset, arrow, made = words
    assert arrow == ">"
    text = (REPOSITORY / preset).read_text()
    for part in script.split("; "):
        changed = subprocess.run(["sed", *options, part], input=text, capture_output=True, text=True, check=True).stdout
        assert changed != text, part
        text = changed
    (tmp_path / made).write_text(text)
    load_params(tmp_path / made)


@pytest.fixture(scope="module")
def targets() -> dict[str, set[str]]:
    """The targets of every Snakemake command by parameter file; its options are parsed and its rules exist."""
    found = defaultdict(set)
    for words in commands_of("snakemake"):
        given = get_argument_parser().parse_args(words)
        assert {name for name in given.forcerun or () if not name.startswith("results/")} <= RULES | {"all"}
        assert {word.partition(":")[0] for word in words if re.fullmatch(r"\w+:\w+=\d+", word)} <= RULES
        found[str(given.configfile[0]) if given.configfile else "params.yaml"].update(given.targets)
    return found


def test_every_target_is_in_the_graph(tmp_path, targets):
    copy_repository(tmp_path)
    clone = Clone(tmp_path, tmp_path / ".cache")
    own = {"my.yaml", "photos.yaml", "longer.yaml", "fresh.yaml"}  # a person's, made of a preset
    for file, names in targets.items():
        preset = "params.yaml" if file in own else file
        assert (tmp_path / preset).is_file()
        if names - {"all"}:  # that of every preset is planned by tests/workflow
            clone.run("snakemake", "-n", "--quiet", "--configfile", preset, "--", *sorted(names))


@pytest.mark.parametrize("preset", ["demo", "paper"])
def test_the_status_of_a_preset_is_shown_and_readme_says_how_many_sources_the_paper_has(spl, preset, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    ended = spl("status", "--params", f"presets/{preset}.yaml")
    assert ended.status == 0
    number = re.search(r"(\d+) of (\d+) sources", ended.out)[2]
    assert preset == "demo" or f"which of the {number} sources" in (REPOSITORY / "README.md").read_text()
