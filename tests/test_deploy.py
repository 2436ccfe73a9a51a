"""What is deployed exists: files, extras, variables, and commands that our own parsers take."""

import configparser
import importlib.util
import json
import re
import shlex
import shutil
import socketserver
import subprocess
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from hf_vits.cli import VERBS
from hf_vits.cli.parser import Parser
from hf_vits.conversion.default_voice import DEFAULT, cache_folder

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
INSTRUCTIONS = {
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "RUN",
    "USER",
    "VOLUME",
    "WORKDIR",
}
README = (DEPLOY / "README.md").read_text(encoding="utf-8")


def parsed(words):
    """The options of a command line without `hf-vits`, by the parser of its verb."""
    parser = Parser(prog="hf-vits")
    importlib.import_module(VERBS[words[0]]).add_arguments(parser)
    return parser.parse_args(words[1:])


@pytest.fixture(scope="module")
def instructions():
    """The Dockerfile as pairs of an instruction and its argument."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, argument.strip()) for name, argument in lines]


def of(instructions, name):
    return [argument for instruction, argument in instructions if instruction == name]


def test_the_image_is_made_of_pythons_official_one_and_runs_as_no_root(instructions):
    assert {image.split()[0] for image in of(instructions, "FROM")} == {"python:3.12-slim"}
    last = max(number for number, (name, _) in enumerate(instructions) if name == "FROM")
    assert of(instructions[last:], "USER") == ["10001"] and "--uid 10001" in of(instructions[last:], "RUN")[0]
    assert not re.search(r"https?://(?!127\.0\.0\.1)|(apt|pip).*\|\s*(ba)?sh", str(instructions))


def test_what_the_image_copies_exists_and_is_in_its_context(instructions):
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    sources = [words.split()[:-1] for words in of(instructions, "COPY") if not words.startswith("--from")]
    for source in [name.removeprefix("./") for names in sources for name in names]:
        assert (ROOT / source).exists() and f"!{source}" in ignore


def test_each_folder_of_the_image_has_one_name_where_it_is_made_copied_and_used(instructions, monkeypatch):
    assert {name for name, _ in instructions} <= INSTRUCTIONS  # others need a look
    last = max(number for number, (name, _) in enumerate(instructions) if name == "FROM")
    build, final = instructions[:last], instructions[last:]
    first, then = (
        dict(word.split("=", 1) for text in of(stage, "ENV") for word in shlex.split(text)) for stage in (build, final)
    )
    scripts = of(build, "RUN")
    program = re.fullmatch(r"python -m venv (\S+)", scripts[0])[1]
    assert all(f"{program}/bin/pip" in script or f"{program}/bin/python" in script for script in scripts[1:])
    assert of(final, "COPY")[0] == f"--from=build {program} {program}"
    assert then["PATH"].startswith(f"{program}/bin:") and f"{program}/healthcheck.py" in of(final, "HEALTHCHECK")[0]
    assert first["HF_VITS_CACHE"] == then["HF_VITS_CACHE"] and then["HF_VITS_CACHE"].startswith(program)
    monkeypatch.setenv("HF_VITS_CACHE", then["HF_VITS_CACHE"])
    assert str(cache_folder()) == then["HF_VITS_CACHE"]
    compile(re.search(r'-c "(.*)"', scripts[-1])[1], "RUN", "exec")
    for script in of(instructions, "RUN"):
        subprocess.run(["sh", "-n", "-c", script], check=True)
    home = re.search(r"--home-dir (\S+)", of(final, "RUN")[0])[1]
    assert of(final, "WORKDIR") == of(final, "VOLUME") == [home] and then["HF_HOME"].startswith(f"{home}/")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"].values()
    assert all(volume.split(":")[1] == home for service in services for volume in service["volumes"])
    copied = [name for words in of(build, "COPY") for name in words.split()[:-1]]
    read = re.findall(r'here / "([^"/]+)', (ROOT / "setup.py").read_text(encoding="utf-8"))
    assert read and set(read) <= set(copied)


def test_the_extras_of_the_image_and_of_the_service_exist(instructions):
    extras = (ROOT / "setup.py").read_text(encoding="utf-8")
    for text in (str(instructions), README):
        for name in re.search(r'"\.\[([\w,]+)\]"', text)[1].split(","):
            assert f'    "{name}": [' in extras
    assert "torch==" in (ROOT / "constraints.txt").read_text()


def test_the_image_answers_where_its_health_is_asked_for(instructions):
    command = json.loads(of(instructions, "CMD")[0])
    assert json.loads(of(instructions, "ENTRYPOINT")[0]) == ["hf-vits"]
    options = parsed(command)
    variables = dict(word.split("=", 1) for text in of(instructions, "ENV") for word in shlex.split(text))
    assert options.host == "0.0.0.0" and variables["HF_VITS_HEALTH"] == f"http://127.0.0.1:{options.port}/health"
    assert str(options.port) in of(instructions, "EXPOSE")[0].split()
    check = of(instructions, "HEALTHCHECK")[0]
    assert "/opt/hf_vits/healthcheck.py" in check and "/opt/hf_vits/healthcheck.py" in str(of(instructions, "COPY"))


def test_services_of_compose_run_commands_of_ours_at_the_ports_that_they_publish():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    http, wyoming = (parsed(services[name]["command"]) for name in ("http", "wyoming"))
    assert services["http"]["ports"] == [f"127.0.0.1:{http.port}:{http.port}"] and http.host == "0.0.0.0"
    assert all(alias.endswith(f"={DEFAULT}") for alias in http.alias)
    assert wyoming.uri == "tcp://0.0.0.0:10200" and services["wyoming"]["ports"] == ["10200:10200"]
    assert services["wyoming"]["environment"]["HF_VITS_HEALTH"] == "tcp://127.0.0.1:10200"
    for service in services.values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["build"]["context"] == ".."


@pytest.fixture(scope="module")
def unit():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(DEPLOY / "hf-vits@.service", encoding="utf-8")
    return parser


def test_the_service_runs_the_command_with_the_options_of_its_file_and_no_rights(unit):
    service = unit["Service"]
    program, verb, options = service["ExecStart"].split()
    assert (Path(program).name, verb, options) == ("hf-vits", "%i", "$OPTIONS")
    assert (
        service["DynamicUser"] == "yes"
        and service["ProtectSystem"] == "strict"
        and not service["CapabilityBoundingSet"]
    )
    files = re.findall(r"echo 'OPTIONS=(.*)' > /etc/hf_vits/(\w+)\.conf", README)
    assert {verb for _, verb in files} == {"serve", "wyoming"}
    for words, verb in [*files, ("default", "serve"), ("default", "wyoming")]:
        assert parsed([verb, *words.split()]).voices == ["default"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_accepts_the_service_and_rates_it_as_hardened(tmp_path):
    text = (DEPLOY / "hf-vits@.service").read_text(encoding="utf-8")
    copy = tmp_path / "hf-vits@serve.service"
    copy.write_text(text.replace("/opt/hf_vits/bin/hf-vits", "/bin/true"), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=60)
    assert "hf-vits" not in done.stderr, done.stderr
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-500:]


def test_commands_of_the_page_are_taken_by_our_parsers():
    images = re.findall(r"^docker run .* hf_vits ?(.*)$", README, re.MULTILINE)
    assert len(images) == 3
    for words in images:
        if words:
            parsed(shlex.split(words))
    for script in re.findall(r"python (benchmarks/\w+\.py)", README):
        assert (ROOT / script).is_file()
    for name in re.findall(r"`(--[\w-]+)`", README):
        known = [parsed([verb, "default"]) for verb in ("serve", "wyoming")]
        is_option = any(hasattr(options, name[2:].replace("-", "_")) for options in known)
        assert is_option or name in (ROOT / "benchmarks" / "server_throughput.py").read_text(encoding="utf-8"), name


@pytest.fixture(scope="module")
def check():
    spec = importlib.util.spec_from_file_location("healthcheck", DEPLOY / "healthcheck.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.check


class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Voices(socketserver.StreamRequestHandler):
    answer = b'{"type": "info", "data_length": 2}\n{}'

    def handle(self):
        assert json.loads(self.rfile.readline()) == {"type": "describe"}
        self.wfile.write(self.answer)


class Errors(Voices):
    answer = b'{"type": "error"}\n'


@pytest.fixture
def serve():
    """Runs a server of a kind in a thread -> its port."""
    servers = []

    def run(kind, handler):
        servers.append(kind(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1].server_address[1]

    yield run
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_health_check_passes_for_servers_that_answer_and_for_no_others(check, serve):
    http, wyoming = serve(HTTPServer, Health), serve(socketserver.TCPServer, Voices)
    check(f"http://127.0.0.1:{http}/health")
    check(f"tcp://127.0.0.1:{wyoming}")
    broken = serve(socketserver.TCPServer, Errors)
    for address in (f"http://127.0.0.1:{http}/", f"tcp://127.0.0.1:{broken}", "tcp://127.0.0.1:1"):
        with pytest.raises((OSError, ValueError)):
            check(address)


@pytest.fixture(scope="module")
def engine():
    """Runs a command of Docker or Podman -> what it prints."""
    for program in ("docker", "podman"):
        if shutil.which(program) and not subprocess.run([program, "info"], capture_output=True).returncode:
            return lambda *words: subprocess.run(
                [program, *map(str, words)], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            ).stdout.strip()
    pytest.skip("needs Docker or Podman")


@pytest.fixture(scope="module")
def image(engine):
    engine("build", "--file", DEPLOY / "Dockerfile", "--tag", "hf_vits_test", ROOT)
    yield "hf_vits_test"
    engine("rmi", "hf_vits_test")


@pytest.fixture
def container(engine, image):
    """Starts a service of compose.yaml as it says there, but without any network -> its name."""
    names = []

    def start(service, name):
        settings = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"][service]
        words = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", settings["security_opt"][0]]
        words += ["--memory", settings["mem_limit"], "--pids-limit", settings["pids_limit"], "--network", "none"]
        for variable, value in settings["environment"].items():
            words += ["--env", f"{variable}={'' if value.startswith('$') else value}"]
        engine("run", "--detach", "--name", name, *words, image, *settings["command"])
        names.append(name)
        return name

    yield start
    for name in names:
        engine("rm", "--force", name)


ASK = """import json, os, urllib.request
body = json.dumps({"model": "tts-1", "voice": "alloy", "input": "Hello.", "response_format": "wav"}).encode()
address = "http://127.0.0.1:8000/v1/audio/speech"
request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
print(os.getuid(), len(urllib.request.urlopen(request, timeout=60).read()))
"""


@pytest.mark.slow
@pytest.mark.timeout(3000)  # the first build downloads PyTorch
@pytest.mark.parametrize("service", ["http", "wyoming"])
def test_the_image_serves_without_a_network_or_rights_or_a_disk_that_it_can_write_to(service, engine, container):
    name = container(service, f"hf_vits_test_{service}")
    for _ in range(60):
        time.sleep(1)
        with suppress(subprocess.CalledProcessError):
            engine("exec", name, "python", "/opt/hf_vits/healthcheck.py")
            break
    else:
        pytest.fail(engine("logs", name))
    if service == "http":
        user, size = map(int, engine("exec", name, "python", "-c", ASK).split())
        assert user == 10001 and size > 10_000
    engine("stop", "--time", 40, name)
    assert engine("inspect", "--format", "{{.State.ExitCode}}", name) == "0"
    assert "Traceback" not in engine("logs", name)
