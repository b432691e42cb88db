"""The commands `sign` and `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from model.foundation.command_line import flags


def sign(
    model: flags.Models,
    *,
    key: Annotated[Path, Parameter(help="private key (PEM) on the curve P-256, P-384 or P-521")],
) -> None:
    """Sign made files: OpenSSF model signature, SLSA provenance and CycloneDX SBOM beside each."""
    from benchmark.trust.proof import sign as sign_file

    for path in model:
        print(f"{path}: wrote {', '.join(one.name for one in sign_file(path, key))}")


def verify(
    model: flags.Models,
    *,
    key: Annotated[Path | None, Parameter(help="public key (PEM) of who signed")] = None,
    results: Annotated[
        list[Path],
        Parameter(help="report.json, latency.json ... that must be about these bytes", consume_multiple=True),
    ] = [],
) -> None:
    """Hold made files against their records, all they were made from, their specs and their signatures."""
    from benchmark.report.rows import artefact_row
    from benchmark.trust.proof import chain, check_signature, require_measured
    from model.runtime.running import open_model

    for path in model:
        signed, origin = check_signature(path, key), list(chain(path))
        row = artefact_row(path, open_model(path).spec)
        require_measured(row.sha256, results)
        print(f"{path.name}: {row.bytes} bytes, sha256 {row.sha256}, as recorded")
        for depth, one in origin:
            print(f"{'  ' * depth}{one.role} {one.file} {one.sha256[:12]}: {one.state}")
        print(f"  spec: {row.network} {row.size}, the same inside the file and in its record")
        held = [f"against {stage} on {found.images} images" for stage, found in row.record.parity.items()]
        print(f"  measured: {', '.join([*held, *(one.name for one in results)]) or 'nothing'}")
        print(f"  signature: {f'good, by {key}' if signed else 'none'}")
