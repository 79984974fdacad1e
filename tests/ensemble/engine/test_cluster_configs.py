"""What no cloud is at hand for is validated: the launcher by Ray and a pretended AWS, the manifest by schemas."""

from __future__ import annotations

import copy
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import typer
import yaml
from packaging.specifiers import SpecifierSet

from ensemble.config import load_experiment
from ensemble.train import main as train_command
from tests import ROOT

CLUSTER = ROOT / "configs" / "cluster"
LAUNCHER = CLUSTER / "launcher.yaml"
RAYJOB = CLUSTER / "rayjob.yaml"
DOCKERFILE = (CLUSTER / "Dockerfile").read_text()
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
KUBERNETES = "1.31"

Document = dict[str, Any]
Place = tuple[str | int, ...]


def read(path: Path) -> Document:
    document: Document = yaml.safe_load(path.read_text())
    return document


def at(document: Any, place: Place) -> Any:
    for step in place:
        document = document[step]
    return document


def misspelt(document: Document, place: Place) -> Document:
    """The document with one key misspelt."""
    changed = copy.deepcopy(document)
    *above, key = place
    holder = at(changed, tuple(above))
    holder[f"{key}s"] = holder.pop(key)
    return changed


def with_value(document: Document, place: Place, value: object) -> Document:
    changed = copy.deepcopy(document)
    *above, key = place
    at(changed, tuple(above))[key] = value
    return changed


# The commands of the project, of Ray, and of what stands in the README, parsed by the real command lines.


def parse(command: Any, arguments: list[str]) -> dict[str, Any]:
    """Parse and do not run; an option that does not exist is a `click.UsageError`."""
    return dict(command.make_context(command.name, arguments).params)


def parse_train(words: list[str]) -> dict[str, Any]:
    """Options of `python -m ensemble.train ...`."""
    assert words[:3] == ["python", "-m", "ensemble.train"]
    app = typer.Typer()
    app.command()(train_command)
    return parse(typer.main.get_command(app), words[3:])


def ray_command(*verbs: str) -> click.Command:
    from ray.scripts.scripts import cli

    command: Any = cli
    for verb in verbs:
        command = command.commands[verb]
    assert isinstance(command, click.Command)
    return command


def parse_ray(words: list[str]) -> dict[str, Any]:
    """Options of `ray VERB ...` or `ray job VERB ...`."""
    verbs = words[1:3] if words[1] == "job" else words[1:2]
    return parse(ray_command(*verbs), words[1 + len(verbs) :])


# The launcher


@pytest.fixture(scope="module")
def prepared() -> Document:
    """The launcher's file as `ray up` completes it."""
    from ray.autoscaler._private.util import prepare_config

    return dict(prepare_config(read(LAUNCHER)))


def validate_launcher(config: Document) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(config))
    known = set(provider_settings())
    unknown = set(config["provider"]) - known  # Ray's schema lets any pass, and its code then ignores it
    assert not unknown, unknown


def provider_settings() -> list[str]:
    import json

    import ray.autoscaler

    schema = json.loads(Path(ray.autoscaler.__file__).with_name("ray-schema.json").read_text())
    return list(schema["properties"]["provider"]["properties"])


def test_ray_accepts_the_launcher() -> None:
    validate_launcher(read(LAUNCHER))


@pytest.mark.parametrize(
    "place",
    [
        ("max_workers",),
        ("idle_timeout_minutes",),
        ("provider", "region"),
        ("auth", "ssh_user"),
        ("available_node_types", "gpu", "min_workers"),
        ("available_node_types", "gpu", "resources"),
        ("cluster_synced_files",),
        ("worker_start_ray_commands",),
    ],
)
def test_a_misspelt_setting_of_the_launcher_is_refused(place: Place) -> None:
    with pytest.raises((jsonschema.ValidationError, AssertionError)):
        validate_launcher(misspelt(read(LAUNCHER), place))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("max_workers",), "eight"),
        (("available_node_types", "gpu", "resources", "GPU"), 0.5),
        (("head_node_type",), "nobody"),
        (("rsync_exclude",), ".venv/"),
    ],
)
def test_an_impossible_value_of_the_launcher_is_refused(place: Place, value: object) -> None:
    with pytest.raises((jsonschema.ValidationError, ValueError)):
        validate_launcher(with_value(read(LAUNCHER), place, value))


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An AWS that is only pretended, in this process; yields the id of an image that it has."""
    import time

    import boto3
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "pretended")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray keeps the key of the machines in ~/.ssh
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # it waits half a minute for roles to be known everywhere
    with mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        images = boto3.client("ec2", read(LAUNCHER)["provider"]["region"]).describe_images()["Images"]
        yield images[0]["ImageId"]


def launch(config: Document, image: str) -> dict[str, dict[str, Any]]:
    """Start one node of each kind with Ray's own code; what AWS then says of them."""
    import boto3
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    config = AWSNodeProvider.bootstrap_config(config)
    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    for name, kind in config["available_node_types"].items():
        provider.create_node({**kind["node_config"], "ImageId": image}, {"ray-user-node-type": name}, 1)
    reservations = boto3.client("ec2", config["provider"]["region"]).describe_instances()["Reservations"]
    instances = [instance for each in reservations for instance in each["Instances"]]
    tags = [{tag["Key"]: tag["Value"] for tag in instance["Tags"]} for instance in instances]
    return {tag["ray-user-node-type"]: instance for tag, instance in zip(tags, instances, strict=True)}


def test_aws_starts_every_kind_of_node(prepared: Document, aws: str) -> None:
    nodes = launch(prepared, aws)
    kinds = prepared["available_node_types"]
    assert set(nodes) == set(kinds) == {"head", "gpu", "cpu"}
    for name, node in nodes.items():
        assert node["InstanceType"] == kinds[name]["node_config"]["InstanceType"]
        assert (node.get("InstanceLifecycle") == "spot") == (name != "head"), "a cluster ends with its head"


def test_what_aws_does_not_know_is_refused(prepared: Document, aws: str) -> None:
    from botocore.exceptions import ParamValidationError

    place = ("available_node_types", "gpu", "node_config", "InstanceMarketOptions")
    with pytest.raises(ParamValidationError, match="InstanceMarketOptionss"):
        launch(misspelt(prepared, place), aws)


def test_nodes_offer_what_their_instances_have(prepared: Document, aws: str) -> None:
    """But for the head, which keeps CPUs for the driver."""
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    blank = copy.deepcopy(prepared)
    for kind in blank["available_node_types"].values():
        kind["resources"] = {}
    found = AWSNodeProvider.fillout_available_node_types_resources(blank)["available_node_types"]
    for name, kind in prepared["available_node_types"].items():
        has = found[name]["resources"]
        assert kind["resources"].get("GPU", 0) == has.get("GPU", 0)
        if name == "head":
            assert 0 < kind["resources"]["CPU"] < has["CPU"]
        else:
            assert kind["resources"]["CPU"] == has["CPU"]
            assert kind["min_workers"] == 0


def launcher_commands() -> list[str]:
    config = read(LAUNCHER)
    return [command for key, value in config.items() if key.endswith("_commands") for command in value]


@pytest.mark.parametrize("command", launcher_commands())
def test_commands_of_the_launcher_can_be_read_by_bash_and_by_ray(command: str) -> None:
    read_by_bash = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
    assert read_by_bash.returncode == 0, read_by_bash.stderr
    for start in re.findall(r"bin/ray (start .*)", command):
        assert parse_ray(["ray", *shlex.split(start)])


def test_an_option_that_ray_does_not_have_would_be_seen() -> None:
    with pytest.raises(click.UsageError, match="--hed"):
        parse_ray(["ray", "start", "--hed"])


def test_the_launcher_asks_for_the_token_everywhere() -> None:
    config = read(LAUNCHER)
    starts = [c for key in ("head", "worker") for c in config[f"{key}_start_ray_commands"] if "ray start" in c]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in start for start in starts)
    assert any("RAY_AUTH_MODE=token" in command for command in config["setup_commands"]), "for jobs and `ray exec`"
    where_ray_looks = "~/.ray/auth_token"
    assert config["file_mounts"][where_ray_looks] == where_ray_looks
    assert "--dashboard-host=127.0.0.1" in starts[0]
    assert "--disable-usage-stats" in starts[0]


def test_the_launcher_copies_what_the_installation_needs() -> None:
    mounts = {key: value for key, value in read(LAUNCHER)["file_mounts"].items() if not value.startswith("~")}
    folder = "~/who-took-this-photo"
    assert mounts == {f"{folder}/{value}": value for value in mounts.values()}
    assert needed_to_install() | {"configs"} == set(mounts.values())
    assert all((ROOT / path).exists() for path in mounts.values())
    (install,) = [command for command in launcher_commands() if "pip install" in command]
    assert "$HOME/who-took-this-photo[" in install
    assert extras(install) <= set(PROJECT["optional-dependencies"])


def needed_to_install() -> set[str]:
    """What setuptools reads: the project's file, what that names, and the packages."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {pattern.rstrip("*") for pattern in settings["tool"]["setuptools"]["packages"]["find"]["include"]}
    return {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], *packages}


def extras(command: str) -> set[str]:
    (found,) = re.findall(r"\[([\w,-]+)\]", command)
    return set(found.split(","))


def test_folders_that_git_ignores_are_not_copied() -> None:
    """But files are: `ray rsync-up` obeys this too, and submit.csv is the example that a competition needs."""
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert read(LAUNCHER)["rsync_exclude"] == [rule for rule in ignored if rule.endswith(("/", "/*"))]


# The manifest


def rayjob_schema() -> Document:
    return read(ROOT / "tests" / "schemas" / "rayjob.yaml")


def validate_rayjob(job: Document) -> None:
    """KubeRay's fields by our schema, and what is Kubernetes' own by that of Kubernetes."""
    jsonschema.Draft202012Validator(rayjob_schema()).validate(job)
    validate_kubernetes("PodTemplate", metadata=job["metadata"])
    for template in pod_templates(job):
        validate_kubernetes("PodTemplate", template=template)
    options = {**job["spec"]["rayClusterSpec"]["autoscalerOptions"]}
    parts = {key: options[key] for key in ("env", "envFrom", "resources", "securityContext") if key in options}
    container = {"name": "autoscaler", **parts}
    validate_kubernetes("PodTemplate", template={"spec": {"containers": [container]}})


def validate_kubernetes(kind: str, **fields: object) -> None:
    import kubernetes_validate

    kubernetes_validate.validate({"apiVersion": "v1", "kind": kind, **fields}, KUBERNETES, strict=True)


def groups(job: Document) -> list[Document]:
    cluster = job["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def pod_templates(job: Document) -> list[Document]:
    return [group["template"] for group in groups(job)]


def containers(job: Document) -> list[Document]:
    return [container for template in pod_templates(job) for container in template["spec"]["containers"]]


def test_kuberay_and_kubernetes_accept_the_manifest() -> None:
    validate_rayjob(read(RAYJOB))


CLUSTER_SPEC = ("spec", "rayClusterSpec")
HEAD = (*CLUSTER_SPEC, "headGroupSpec")
GPU = (*CLUSTER_SPEC, "workerGroupSpecs", 0)
GPU_CONTAINER = (*GPU, "template", "spec", "containers", 0)


@pytest.mark.parametrize(
    "place",
    [
        ("kind",),
        ("metadata", "name"),
        ("spec", "entrypoint"),
        ("spec", "shutdownAfterJobFinishes"),
        ("spec", "submitterConfig", "backoffLimit"),
        (*CLUSTER_SPEC, "authOptions", "mode"),
        (*CLUSTER_SPEC, "autoscalerOptions", "idleTimeoutSeconds"),
        (*CLUSTER_SPEC, "autoscalerOptions", "resources", "limits"),
        (*HEAD, "rayStartParams"),
        (*HEAD, "template", "spec", "restartPolicy"),
        (*HEAD, "template", "spec", "volumes", 0, "persistentVolumeClaim", "claimName"),
        (*HEAD, "template", "spec", "containers", 0, "envFrom", 0, "secretRef", "name"),
        (*GPU, "maxReplicas"),
        (*GPU, "template", "spec", "tolerations", 0, "operator"),
        (*GPU_CONTAINER, "image"),
        (*GPU_CONTAINER, "resources", "limits"),
        (*GPU_CONTAINER, "volumeMounts", 0, "mountPath"),
    ],
)
def test_a_misspelt_field_of_the_manifest_is_refused(place: Place) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate_rayjob(misspelt(read(RAYJOB), place))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("spec", "submissionMode"), "JobMode"),
        (("spec", "shutdownAfterJobFinishes"), False),  # with a time to live
        ((*HEAD, "rayStartParams", "num-cpus"), 0),  # Ray's parameters are words
        ((*GPU, "minReplicas"), "0"),
        ((*GPU_CONTAINER, "resources", "limits", "memory"), ["28Gi"]),
        ((*GPU_CONTAINER, "volumeMounts"), {}),
    ],
)
def test_an_impossible_value_of_the_manifest_is_refused(place: Place, value: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate_rayjob(with_value(read(RAYJOB), place, value))


def test_pods_get_what_they_ask_for() -> None:
    for container in containers(read(RAYJOB)):
        assert container["resources"]["requests"] == container["resources"]["limits"]


def test_every_pod_has_shared_memory_for_the_object_store() -> None:
    for template in pod_templates(read(RAYJOB)):
        (container,) = template["spec"]["containers"]
        (mount,) = [mount for mount in container["volumeMounts"] if mount["mountPath"] == "/dev/shm"]  # noqa: S108
        (volume,) = [volume for volume in template["spec"]["volumes"] if volume["name"] == mount["name"]]
        assert volume["emptyDir"]["medium"] == "Memory"
        limit = container["resources"]["limits"]["memory"]
        assert gibibytes(volume["emptyDir"]["sizeLimit"]) < gibibytes(limit) / 2, "it counts towards the limit"


def gibibytes(quantity: str) -> int:
    assert quantity.endswith("Gi")
    return int(quantity.removesuffix("Gi"))


def test_volumes_are_mounted_under_the_names_they_have() -> None:
    for template in pod_templates(read(RAYJOB)):
        volumes = {volume["name"] for volume in template["spec"]["volumes"]}
        mounts = {mount["name"] for container in template["spec"]["containers"] for mount in container["volumeMounts"]}
        assert mounts == volumes


def test_only_the_head_sees_photographs_and_credentials() -> None:
    head, *workers = containers(read(RAYJOB))
    assert {mount["mountPath"] for mount in head["volumeMounts"]} > {"/data"}
    assert "envFrom" in head
    for worker in workers:
        assert [mount["mountPath"] for mount in worker["volumeMounts"]] == ["/dev/shm"]  # noqa: S108
        assert not {"env", "envFrom"} & set(worker)


def test_the_head_takes_no_task_and_workers_come_and_go() -> None:
    job = read(RAYJOB)
    cluster = job["spec"]["rayClusterSpec"]
    head, *workers = groups(job)
    assert head["rayStartParams"]["num-cpus"] == "0"
    assert cluster["enableInTreeAutoscaling"]
    assert all(group["minReplicas"] == 0 < group["maxReplicas"] for group in workers)
    assert all(template["spec"]["restartPolicy"] == "Never" for template in pod_templates(job))


def test_a_job_that_dies_is_started_again_and_ends_some_day() -> None:
    spec = read(RAYJOB)["spec"]
    assert spec["backoffLimit"] > 0
    assert spec["activeDeadlineSeconds"] > 0
    assert spec["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    assert spec["rayClusterSpec"]["autoscalerOptions"]["idleTimeoutSeconds"] > 0


def test_the_command_of_the_manifest_is_one_of_ours() -> None:
    options = parse_train(shlex.split(read(RAYJOB)["spec"]["entrypoint"]))
    folder = Path(instruction("WORKDIR"))
    assert load_experiment(ROOT / options["config"].relative_to(folder)).name == "gpu"
    assert options["data"].is_relative_to("/data")
    assert str(options["oof"]).startswith("s3:/")


# The image


def instruction(name: str) -> str:
    (found,) = re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)
    return str(found)


def test_image_and_manifest_have_one_version_of_ray() -> None:
    job = read(RAYJOB)
    assert len({container["image"] for container in containers(job)}) == 1
    base, python = re.fullmatch(r"rayproject/ray:([\d.]+)-py(\d+)-cpu", instruction("FROM")).groups()  # type: ignore[union-attr]
    (pinned,) = re.findall(r"ray==([\d.]+)", DOCKERFILE)
    assert base == pinned == job["spec"]["rayClusterSpec"]["rayVersion"]
    (required,) = [line for line in PROJECT["dependencies"] if line.startswith("ray[")]
    assert SpecifierSet(required.partition("]")[2]).contains(base)
    assert SpecifierSet(PROJECT["requires-python"]).contains(f"{python[0]}.{python[1:]}")


def test_the_image_is_built_of_what_the_installation_needs() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY --chown=ray (.*) \S+$", DOCKERFILE, re.MULTILINE)
        for source in line.split()
    ]
    assert set(copied) == needed_to_install() | {"configs"}
    assert all((ROOT / source).exists() for source in copied)
    (install,) = re.findall(r"^RUN .*pip install .*$", DOCKERFILE, re.MULTILINE)
    assert extras(install) <= set(PROJECT["optional-dependencies"])


# Both


def test_every_member_fits_on_a_kind_of_node() -> None:
    """CNNs on the kind with GPUs, features, boosters and linear models on the one without."""
    launcher, job = read(LAUNCHER)["available_node_types"], read(RAYJOB)
    offers = {
        name: (launcher[name]["resources"]["CPU"], launcher[name]["resources"].get("GPU", 0)) for name in launcher
    }
    for group in groups(job)[1:]:
        limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
        offers[f"{group['groupName']} pod"] = int(limits["cpu"]), int(limits.get("nvidia.com/gpu", 0))
    for member in load_experiment(ROOT / "configs" / "gpu.yaml").members:
        for where in ("gpu", "gpu pod") if member.resources.num_gpus else ("cpu", "cpu pod"):
            cpus, gpus = offers[where]
            assert member.resources.num_cpus <= cpus, (member.name, where)
            assert member.resources.num_gpus <= gpus, (member.name, where)


def test_members_without_a_gpu_find_a_node_when_the_run_begins() -> None:
    """Later ones come when a task asks; but a member is refused that no node could take."""
    head = read(LAUNCHER)["available_node_types"]["head"]["resources"]["CPU"]
    members = load_experiment(ROOT / "configs" / "gpu.yaml").members
    assert max(member.resources.num_cpus for member in members if not member.resources.num_gpus) <= head
    assert all(group["replicas"] >= 1 for group in groups(read(RAYJOB))[1:]), "its head has no CPUs"


@pytest.mark.parametrize("path", [LAUNCHER, RAYJOB], ids=lambda path: path.name)
def test_what_the_user_must_change_is_marked(path: Path) -> None:
    blank = re.compile(r"ami-0{10,}|registry\.example\.com|claimName: ")
    lines = [line for line in path.read_text().splitlines() if blank.search(line)]
    assert lines
    assert all("# CHANGE" in line for line in lines)


def cluster_commands() -> list[str]:
    """The commands of the README's chapter, each on one line."""
    chapter = README.partition("\n## On a cluster\n")[2].partition("\n## ")[0]
    code = "\n".join(line[4:] for line in chapter.splitlines() if line.startswith("    "))
    return [line.strip() for line in code.replace("\\\n", " ").splitlines()]


def is_ours(command: str) -> bool:
    return command.startswith(("ray ", "python -m ensemble"))


@pytest.mark.parametrize("command", [command for command in cluster_commands() if is_ours(command)])
def test_commands_of_the_readme_exist(command: str) -> None:
    words = shlex.split(re.sub(r" (&|> \S+)$", "", command))
    parsers: dict[str, Callable[[list[str]], dict[str, Any]]] = {"ray": parse_ray, "python": parse_python}
    options = parsers[words[0]](words)
    for path in re.findall(r"configs/\S+\.yaml", command):
        assert (ROOT / path).exists()
    if words[1:3] == ["job", "submit"]:
        assert parse_train(list(options["entrypoint"]))


def parse_python(words: list[str]) -> dict[str, Any]:
    if words[2] == "ensemble.train":
        return parse_train(words)
    from ensemble.blend.__main__ import app

    return parse(typer.main.get_command(app), words[3:])


def test_files_that_kubectl_is_given_exist() -> None:
    files = [
        path
        for command in cluster_commands()
        if "kubectl apply" in command
        for path in re.findall(r"-f (\S+)", command)
    ]
    assert files
    assert all((ROOT / path).exists() for path in files)
