"""The compose files: of the shape that the compose specification asks for, and true of what they start."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reference_server.settings import Settings

FILES = ("compose.yaml", "compose.monitoring.yaml")


@pytest.mark.parametrize("name", FILES)
def test_the_file_has_the_shape_of_the_compose_specification(deploy: Path, name: str) -> None:
    """By the specification's own JSON Schema, as check-jsonschema carries it."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", deploy / name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_reference_stack_is_complete(services: dict[str, Any]) -> None:
    """Server, database, relay, and who watches them; each image by a version, none by `latest`."""
    assert set(services) == {"server", "database", "relay", "prometheus", "grafana"}
    images = [service["image"] for service in services.values() if "image" in service]
    assert [image for image in images if not re.search(r":v?\d", image)] == []


def test_whoever_is_waited_for_is_there(services: dict[str, Any]) -> None:
    """`depends_on` names services, and one that must be healthy says how one can tell."""
    for service in services.values():
        for name, condition in service.get("depends_on", {}).items():
            assert name in services
            assert condition["condition"] != "service_healthy" or "healthcheck" in services[name]


def test_the_server_knows_its_settings(services: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable is a setting of the server, and its value is one that the server takes."""
    given = {name: _filled(str(value)) for name, value in services["server"]["environment"].items()}
    assert {name.removeprefix("GURUKUL_").lower() for name in given} <= set(Settings.model_fields)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.engine, settings.workers, settings.plan) == ("hardened", 1, "none")
    assert settings.database_url == "postgresql://postgres:secret-secret-secret-secret-secret@database:5432/gurukul"


def test_server_and_relay_share_a_secret(services: dict[str, Any]) -> None:
    """Else no credential that the server makes is worth anything."""
    relay = [word for word in services["relay"]["command"] if word.startswith("--static-auth-secret=")]
    assert relay[0].partition("=")[2] == services["server"]["environment"]["GURUKUL_TURN_SECRET"]


def test_every_variable_is_in_the_example(deploy: Path) -> None:
    """Whoever copies .env.example has all that the files ask for, and no secret of ours."""
    asked = {name for file in FILES for name in re.findall(r"\$\{(\w+)", (deploy / file).read_text())}
    lines = [line for line in (deploy / ".env.example").read_text().splitlines() if line and line[0] != "#"]
    example = dict(line.split("=", 1) for line in lines)
    assert set(example) == asked
    assert [name for name, value in example.items() if name.endswith(("SECRET", "PASSWORD")) and value] == []


def test_every_file_that_is_mounted_or_built_from_is_there(deploy: Path, services: dict[str, Any]) -> None:
    """A wrong path would become an empty folder in the container."""
    mounted = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ())]
    assert [path for path in mounted if path.startswith(".") and not (deploy / path).exists()] == []
    build = services["server"]["build"]
    assert (deploy / build["context"] / build["dockerfile"]).is_file()


def test_only_the_relay_is_open_to_others(services: dict[str, Any]) -> None:
    """Everything else listens at this machine alone, until somebody puts a proxy before it."""
    for name, service in services.items():
        if name != "relay":
            assert [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")] == []


def test_the_image_is_built_from_what_is_there(deploy: Path) -> None:
    """Each COPY names a path of the repository that its ignore file lets through."""
    lines = (deploy / "Dockerfile.dockerignore").read_text().splitlines()
    let_through = {line[1:].strip() for line in lines if line.startswith("!")}
    copied = set()
    for line in (deploy / "Dockerfile").read_text().splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not words[1].startswith("--from"):
            copied |= set(words[1:-1])
    assert copied == let_through
    assert [path for path in copied if not (deploy.parent / path).exists()] == []


def _filled(text: str) -> str:
    """A value as compose fills it in: defaults where there are some, else a secret."""
    return re.sub(r"\$\{\w+(?::-([^}]*)|:\?[^}]*)?\}", lambda m: m.group(1) or "secret-" * 4 + "secret", text)
