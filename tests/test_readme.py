"""Tests that the README names what is there, and what .ci/run runs."""

import re

import pytest

import app
from serving import HERE

README = (HERE / "README.md").read_text(encoding="utf-8")


def test_commands_are_those_that_ci_runs():
    script = (HERE / ".ci" / "run").read_text(encoding="utf-8")
    commands = [line.partition("  #")[0] for line in script.splitlines()]
    commands = [command for command in commands if ".venv/bin/pytest" in command]
    assert len(commands) == 2
    assert all(command in README for command in commands)


@pytest.mark.parametrize("name", ["parse", "find_seat", "process", "save", "tell"])
def test_functions_that_are_named_exist(name):
    assert f"`{name}()`" in README
    assert callable(getattr(app, name))


def test_files_that_are_named_are_those_that_there_are():
    named = set(re.findall(r"`([\w/]+\.(?:py|js|css|html|svg))`", README))
    suffixes = {".py", ".js", ".css", ".html", ".svg"}
    files = [*HERE.iterdir(), *(HERE / "page").iterdir()]
    product = {path for path in files if path.suffix in suffixes}
    assert {path.relative_to(HERE).as_posix() for path in product} <= named
