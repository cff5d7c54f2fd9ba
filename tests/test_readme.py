"""What the README says is what is run, by .ci/run and by the tests of the proxy."""

import re

import pytest

import app
from proxy import NGINX_CONF
from serving import HERE

README = (HERE / "README.md").read_text(encoding="utf-8")


def test_commands_are_those_that_ci_runs():
    script = (HERE / ".ci" / "run").read_text(encoding="utf-8")
    for command in re.findall(r"^ *(.*\.venv/bin/pytest[^#\n]*?) *(?:#.*)?$", script, re.M):
        assert command in README


def test_configuration_of_nginx_is_the_one_that_is_tested():
    assert NGINX_CONF.strip() in README


@pytest.mark.parametrize("name", ["listen", "parse", "find_seat", "save", "tell"])
def test_functions_that_are_named_exist(name):
    assert f"`{name}()`" in README
    assert callable(getattr(app, name))


def test_files_that_are_named_are_those_that_there_are():
    named = set(re.findall(r"`([\w/]+\.(?:py|js|css|html|svg))`", README))
    product = {path.name for path in HERE.glob("*.*") if path.suffix != ".md"}
    product |= {f"page/{path.name}" for path in (HERE / "page").iterdir()}
    product = {name for name in product if name.endswith((".py", ".js", ".css", ".html"))}
    assert product <= named
