# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#   "model-signing==1.1.1", "pyopenssl==26.4.0", "cryptography==50.0.2", "sigstore==4.5.1",
#   "in-toto-attestation==0.9.3", "cyclonedx-python-lib==11.12.0",
# ]
# ///
"""Provenance, SBOM and signature of one file, written from its record; and the check of a signature.

    signing.py sign KEY FOLDER NAME SIGNATURE     FOLDER holds NAME and NAME.json, and nothing else
    signing.py verify KEY FOLDER NAME SIGNATURE   FOLDER holds what was signed, and nothing else

A script of its own: model-signing and litert-torch ask for different versions of typing-extensions.
Sources: in-toto attestation framework v1, SLSA provenance v1, CycloneDX 1.6, OpenSSF model signing v1.
"""

import hashlib
import json
import re
import sys
import uuid
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from google.protobuf.json_format import MessageToDict
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2 as slsa
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from model_signing import signing, verifying
from packageurl import PackageURL

WHAT = "urn:featherface-mobile:"


def resource(name: str, sha256: str, **said: str) -> ResourceDescriptor:
    found = ResourceDescriptor(name=name, digest={"sha256": sha256}, annotations=said)
    found.validate()
    return found


def provenance(record: dict, sha256_of_record: str) -> str:
    """An in-toto statement: this file, made so, of these files; the record says the rest."""
    sources = record["made_from"].items()
    made = slsa.Provenance()
    made.build_definition.build_type = f"{WHAT}record:1"
    made.build_definition.external_parameters.update({"precision": record["precision"]})
    made.build_definition.resolved_dependencies.extend(
        resource(one["file"], one["sha256"], role=role).pb for role, one in sources
    )
    made.run_details.builder.id = f"{WHAT}make"
    made.run_details.builder.version.update(record.get("tools", {}))
    made.run_details.byproducts.append(resource(record["file"] + ".json", sha256_of_record).pb)
    subject = resource(record["file"], record["sha256"])
    statement = Statement([subject.pb], "https://slsa.dev/provenance/v1", MessageToDict(made))
    statement.validate()
    return json.dumps(MessageToDict(statement.pb), indent=2) + "\n"


def component(kind: ComponentType, name: str, sha256: str, **said: str) -> Component:
    digest = HashType(alg=HashAlgorithm.SHA_256, content=sha256)
    properties = [Property(name=f"featherface:{key}", value=value) for key, value in said.items()]
    return Component(type=kind, name=name, bom_ref=sha256, hashes=[digest], properties=properties)


def bill(record: dict) -> str:
    """A CycloneDX bill of materials: the model, the files it was made from, the tools that made it."""
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, WHAT + record["sha256"]))
    model = ComponentType.MACHINE_LEARNING_MODEL
    root = component(model, record["file"], record["sha256"], precision=record["precision"])
    sources = [
        component(
            ComponentType.DATA if one["file"].endswith(".json") else model,
            one["file"],
            one["sha256"],
            role=role,
        )
        for role, one in record["made_from"].items()
    ]
    tools = [
        Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=version,
            bom_ref=f"{name}=={version}",
            purl=PackageURL("pypi", None, name, version),
        )
        for name, version in record.get("tools", {}).items()
    ]
    bom.metadata.component = root
    for one in (*sources, *tools):
        bom.components.add(one)
    bom.register_dependency(root, [*sources, *tools])
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def sign(key: Path, folder: Path, name: str, signature: Path) -> None:
    beside = folder / f"{name}.json"
    record = json.loads(beside.read_bytes())
    sha256 = hashlib.sha256(beside.read_bytes()).hexdigest()
    (folder / f"{name}.intoto.json").write_text(provenance(record, sha256), encoding="utf-8")
    (folder / f"{name}.cdx.json").write_text(bill(record), encoding="utf-8")
    signing.Config().use_elliptic_key_signer(private_key=key).sign(folder, signature)


def verify(key: Path, folder: Path, _name: str, signature: Path) -> None:
    try:
        verifying.Config().use_elliptic_key_verifier(public_key=key).verify(folder, signature)
    except ValueError as error:
        if changed := re.findall(r"Hash mismatch for \\?'([^'\\]+)", str(error)):
            raise ValueError(f"{', '.join(changed)}: other bytes than those that were signed") from None
        if "iles in model" in str(error):
            raise ValueError("the signature is of other files") from None
        raise


if __name__ == "__main__":
    task, key, folder, name, signature = sys.argv[1:]
    try:
        {"sign": sign, "verify": verify}[task](Path(key), Path(folder), name, Path(signature))
    except Exception as error:  # the libraries' own share no base class but Exception
        sys.exit(f"{Path(signature).name}: {' '.join(str(error).split()) or type(error).__name__}")
