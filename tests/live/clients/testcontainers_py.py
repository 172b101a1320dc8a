"""What tests do with testcontainers for Python, against the endpoint in DOCKER_HOST.

Prints a line for each step, its name and its result, without anything that differs from run to run.
"""

import os
import re
import urllib.request
import warnings

from testcontainers.core.container import DockerContainer
from testcontainers.core.waiting_utils import wait_for_logs

# Of ways to wait there will be others.
warnings.simplefilter("ignore")

IMAGE = "busybox:latest"
SERVE = "sleep 0.5; echo ready; mkdir -p /www; echo page > /www/index.html; exec httpd -f -p 80 -h /www"


def show(step, value):
    print(f"{step}: {value}", flush=True)


with DockerContainer(IMAGE).with_command(["sh", "-c", SERVE]).with_exposed_ports(80).with_env("A", "1") as server:
    wait_for_logs(server, "ready", timeout=60)
    show("logs", [part.decode() for part in server.get_logs()])
    show("exec", server.exec(["sh", "-c", "echo $A; echo b >&2"]).exit_code)
    show("exec output", server.exec("echo hi").output)
    wrapped = server.get_wrapped_container()
    wrapped.reload()
    show("status", wrapped.status)
    binding = wrapped.ports["80/tcp"][0]
    # One of several nodes is told by its address.
    host = binding["HostIp"]
    if host in ("", "0.0.0.0", "::"):
        host = re.match(r"tcp://(.*):\d+", os.environ["DOCKER_HOST"]).group(1)
    show("same port", str(server.get_exposed_port(80)) == binding["HostPort"])
    with urllib.request.urlopen(f"http://{host}:{binding['HostPort']}/", timeout=30) as answer:
        show("answer", answer.status)

with DockerContainer(IMAGE).with_command("sh -c 'echo done; exit 3'") as job:
    show("job", job.get_wrapped_container().wait()["StatusCode"])
    show("its logs", job.get_logs()[0])
