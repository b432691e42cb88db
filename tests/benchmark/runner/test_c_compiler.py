"""The C compiler: what is missing or does not compile is named; builds change with what they are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.runner import c_compiler
from benchmark.runner.c_compiler import build_state, compile_c
from model.foundation.errors import InputError


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> str:
        raise c_compiler.PackageNotFoundError

    monkeypatch.setattr(c_compiler, "version", absent)
    with pytest.raises(InputError, match="ziglang: run 'make setup'"):
        build_state([], ())


def test_a_source_that_does_not_compile_is_named(tmp_path: Path) -> None:
    source = tmp_path / "broken.c"
    source.write_text("int broken(void) { return nothing; }\n")
    with pytest.raises(InputError, match=r"building out\.so for x86_64-linux-none failed: .*nothing"):
        compile_c(("-nostdlib", "-shared"), [source], tmp_path / "out.so", "x86_64-linux-none")


def test_a_state_follows_sources_names_and_options(tmp_path: Path) -> None:
    source, renamed = tmp_path / "a.c", tmp_path / "b.c"
    for path in (source, renamed):
        path.write_text("int a;\n")
    states = {
        build_state([source], ("-O2",)),
        build_state([source], ("-O3",)),
        build_state([renamed], ("-O2",)),
    }
    source.write_text("int b;\n")
    assert len({*states, build_state([source], ("-O2",))}) == 4
