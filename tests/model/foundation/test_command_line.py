import argparse
import importlib
import sys

import pytest

PACKAGES = ("model",)


@pytest.mark.parametrize("package", PACKAGES)
def test_each_module_registers_the_commands_it_is_listed_with(package):
    commands = importlib.import_module(f"{package}.__main__").REGISTERED
    for module, names in commands.items():
        subparsers = argparse.ArgumentParser().add_subparsers()
        importlib.import_module(module).register(subparsers)
        assert tuple(subparsers.choices) == tuple(names), module


def test_a_command_loads_its_own_module_alone(tmp_path, monkeypatch):
    (tmp_path / "greeting.py").write_text(
        "def register(subparsers):\n    subparsers.add_parser('greet').set_defaults(run=lambda options: 7)\n"
    )
    (tmp_path / "heavy.py").write_text("raise AssertionError('imported in vain')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    from model.foundation.command_line import run_command

    assert run_command("test", None, {"greeting": ("greet",), "heavy": ("other",)}, ["greet"]) == 7
    assert "heavy" not in sys.modules
