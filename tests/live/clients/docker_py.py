"""The usual calls of docker-py against the endpoint in DOCKER_HOST.

Prints a line for each step, its name and its result, without anything that differs from run to run: whoever serves the
endpoint, the transcript is the same.
"""

import io
import json
import os
import tarfile
import threading
import time

import docker

IMAGE = "busybox:latest"
client = docker.DockerClient(base_url=os.environ["DOCKER_HOST"], version="1.41", timeout=60)


def show(step, value):
    print(f"{step}: {value}", flush=True)


def refused(step, call):
    try:
        show(step, f"done: {call()!r}")
    except docker.errors.ContainerError as error:
        show(step, f"ContainerError {error.exit_status} {error.stderr}")
    except docker.errors.APIError as error:
        # A manager has other statuses for some of it.
        show(step, "refused" if error.response.status_code >= 400 else error.response.status_code)


def eventually(ask):
    until = time.monotonic() + 30
    while True:
        value = ask()
        if value or time.monotonic() > until:
            return value
        time.sleep(0.05)


def fields(value):
    """The names in an object, with those of the objects in it that have the same ones everywhere."""
    return " ".join(sorted(value))


def keeper(name, **more):
    """A container that lives until it is stopped."""
    return client.containers.run(IMAGE, "sleep 1000", name=name, detach=True, init=True, **more)


def archive(name, text):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    return packed.getvalue()


def short_lived():
    show("run", client.containers.run(IMAGE, "echo hello"))
    show("run and remove", client.containers.run(IMAGE, ["echo", "hello"], remove=True))
    both = client.containers.run(IMAGE, ["sh", "-c", "echo out; echo err >&2"], stderr=True, remove=True)
    show("both streams", sorted(both.split()))
    show("terminal", client.containers.run(IMAGE, "echo hello", tty=True, remove=True))
    show("entry point", client.containers.run(IMAGE, "hello", entrypoint="echo", remove=True))
    show("environment", client.containers.run(IMAGE, ["sh", "-c", "echo $A-${B}"], environment={"A": "1", "B": "2"}, remove=True))
    refused("false", lambda: client.containers.run(IMAGE, "false", remove=True))
    refused("exit 3", lambda: client.containers.run(IMAGE, ["sh", "-c", "echo why >&2; exit 3"], remove=True))
    refused("no such image", lambda: client.containers.create("nowhere/nothing:1"))
    for command in ["true", "sleep 1", "sh -c 'sleep 0.2; exit 4'", "sh -c 'false || exit 5'", "sh -c 'false && exit 6'"]:
        container = client.containers.run(IMAGE, command, detach=True)
        show(f"wait for {command}", container.wait()["StatusCode"])
        container.reload()
        state = container.attrs["State"]
        show("its state", [state["Status"], state["Running"], state["Pid"], state["ExitCode"]])
        container.remove()
    container = client.containers.create(IMAGE, ["sh", "-c", "echo one; sleep 0.3; echo two; exit 7"])
    heard, attached = [], container.attach(stream=True, logs=True)
    reader = threading.Thread(target=lambda: heard.extend(attached))
    reader.start()
    container.start()
    show("next exit", container.wait(condition="not-running")["StatusCode"])
    reader.join(30)
    show("attach", b"".join(heard))
    container.start()
    show("wait again", container.wait()["StatusCode"])
    show("logs", container.logs())
    container.remove()
    container = client.containers.create(IMAGE, "echo gone", auto_remove=True)
    waiter = []
    waiting = threading.Thread(target=lambda: waiter.append(container.wait(condition="removed")["StatusCode"]))
    waiting.start()
    time.sleep(0.5)
    container.start()
    waiting.join(30)
    show("removed", waiter)
    container = client.containers.run(IMAGE, "false", detach=True, restart_policy={"Name": "on-failure", "MaximumRetryCount": 2})
    restarts = eventually(lambda: client.api.inspect_container(container.id)["RestartCount"] == 2)
    show("restarts", [restarts, eventually(lambda: container.wait()["StatusCode"])])
    container.remove(force=True)


def executed():
    container = keeper("web")
    show("exec", {container.exec_run("echo hi").output for _ in range(20)})
    show("exec code", container.exec_run(["sh", "-c", "exit 3"]))
    show("exec demux", container.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True))
    show("exec stream", b"".join(container.exec_run(["sh", "-c", "echo a; sleep 0.3; echo b"], stream=True).output))
    show("exec tty", container.exec_run("echo hi", tty=True).output)
    show("exec environment", container.exec_run(["sh", "-c", "echo $C"], environment=["C=3"]).output)
    show("exec detach", container.exec_run("true", detach=True).output)
    show("exec false", container.exec_run("false").exit_code)
    before = time.monotonic()
    container.exec_run("sleep 1")
    show("exec sleep", time.monotonic() - before >= 0.9)
    made = client.api.exec_create(container.id, "echo x", tty=False)
    show("exec before", [client.api.exec_inspect(made["Id"])[key] for key in ("Running", "ExitCode")])
    show("exec output", client.api.exec_start(made["Id"]))
    seen = client.api.exec_inspect(made["Id"])
    show("exec after", [seen["Running"], seen["ExitCode"], seen["ProcessConfig"]["entrypoint"], seen["ProcessConfig"]["arguments"]])
    show("exec fields", fields(seen))
    made = client.api.exec_create(container.id, "cat", stdin=True)
    socket = client.api.exec_start(made["Id"], socket=True)
    raw = getattr(socket, "_sock", socket)
    raw.sendall(b"echoed\n")
    raw.settimeout(30)
    heard = b""
    while b"echoed" not in heard:
        piece = raw.recv(100)
        if not piece:
            break
        heard += piece
    show("exec socket", heard)
    socket.close()
    container.remove(force=True)


def detached_and_listed():
    """Lists on connections that commands were started on before are the whole cluster's."""
    names = [f"kept-{number}" for number in range(4)]
    containers = [keeper(name) for name in names]
    wrong = []

    def work(container):
        own = docker.DockerClient(base_url=os.environ["DOCKER_HOST"], version="1.41", timeout=60)
        for _ in range(6):
            own.containers.get(container.id).exec_run(["true"], detach=True)
            listed = sorted(found.name for found in own.containers.list())
            if listed != names:
                wrong.append(listed)
        own.close()

    threads = [threading.Thread(target=work, args=(container,)) for container in containers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    show("wrong lists", wrong)
    for container in containers:
        container.remove(force=True)


def living():
    container = keeper("web", labels={"a": "b"}, ports={"80/tcp": 8080}, environment={"E": "1"}, mem_limit="64m")
    container.reload()
    show("status", container.status)
    show("container fields", fields(set(container.attrs) - {"Node"}))
    for part in ("State", "Config", "NetworkSettings"):
        show(f"{part} fields", fields(container.attrs[part]))
    show("port", [list(container.ports), container.ports["80/tcp"][0]["HostPort"]])
    show("names", [found.name for found in client.containers.list(filters={"label": "a=b"})])
    show("none", client.containers.list(filters={"label": "a=c"}))
    show("path", [container.attrs["Path"], container.attrs["Args"], container.attrs["Config"]["Cmd"]])
    top = container.top()
    show("top", [" ".join(top["Titles"]), any("sleep 1000" in " ".join(row) for row in top["Processes"])])
    stats = container.stats(stream=False)
    show("stats fields", fields(stats))
    show("stats", [stats["name"], stats["memory_stats"]["limit"], "system_cpu_usage" in stats["cpu_stats"]])
    show("stats stream", next(container.stats(stream=True, decode=True))["name"])
    container.pause()
    container.reload()
    show("paused", container.status)
    refused("exec paused", lambda: container.exec_run("true"))
    container.unpause()
    show("resize", client.api.resize(container.id, 24, 80))
    container.rename("db")
    container.reload()
    show("renamed", container.name)
    show("update", client.api.update_container(container.id, mem_limit="32m", memswap_limit="64m")["Warnings"])
    show("memory", client.api.inspect_container("db")["HostConfig"]["Memory"])
    show("put", container.put_archive("/tmp", archive("page", b"a page\n")))
    show("cat", container.exec_run("cat /tmp/page").output)
    show("cat nothing", container.exec_run("cat /tmp/nothing").exit_code)
    stream, stat = container.get_archive("/tmp/page")
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        show("get", [tar.getnames(), tar.extractfile("page").read(), stat["name"], stat["size"]])
    refused("get nothing", lambda: container.get_archive("/nothing"))
    refused("put nowhere", lambda: container.put_archive("/nothing", b""))
    show("diff", [change["Path"] for change in container.diff() if "page" in change["Path"]])
    show("export", len(b"".join(container.export())) > 1024)
    image = container.commit("snapshot", "1")
    show("commit", image.tags)
    container.restart(timeout=5)
    show("restarted", client.containers.get("db").status)
    container.kill("SIGWINCH")
    container.reload()
    show("signalled", container.status)
    container.kill()
    show("killed", container.wait()["StatusCode"])
    container.start()
    container.stop(timeout=5)
    show("stopped", container.wait()["StatusCode"])
    refused("stop stopped", lambda: container.stop())
    refused("kill stopped", lambda: container.kill())
    refused("pause stopped", lambda: container.pause())
    refused("exec stopped", lambda: container.exec_run("true"))
    refused("name taken", lambda: client.containers.create(IMAGE, "true", name="db"))
    refused("bad name", lambda: client.containers.create(IMAGE, "true", name="!"))
    container.start()
    refused("remove running", lambda: container.remove())
    container.remove(force=True)
    refused("not found", lambda: client.containers.get("db"))
    refused("logs of nothing", lambda: client.api.logs("db"))
    refused("remove nothing", lambda: client.api.remove_container("db"))
    client.images.remove("snapshot:1")


def logs():
    container = client.containers.run(
        IMAGE, ["sh", "-c", "echo one; echo two >&2; echo three; sleep 1000"], detach=True, name="teller"
    )
    eventually(lambda: b"three" in container.logs())
    show("all", sorted(container.logs().split()))
    show("only out", container.logs(stderr=False))
    show("only err", container.logs(stdout=False))
    show("tail", container.logs(tail=1, stderr=False) in (b"three\n", b""))
    show("dated", [line.split(b" ", 1)[1] for line in container.logs(stderr=False, timestamps=True).splitlines()])
    show("followed", next(container.logs(stream=True, follow=True, stderr=False)))
    show("until the past", container.logs(until=int(time.time()) - 100))
    container.remove(force=True)
    show("no terminal", list(client.containers.run(IMAGE, ["sh", "-c", "echo a; sleep 0.2; echo b"], stream=True)))
    for left in client.containers.list(all=True):
        left.remove(force=True)


def events():
    heard = []
    stream = client.events(filters={"type": "container", "container": "told"}, decode=True)
    reader = threading.Thread(target=lambda: heard.extend(stream))
    reader.daemon = True
    reader.start()
    time.sleep(0.5)
    container = client.containers.run(IMAGE, ["sh", "-c", "exit 3"], name="told", detach=True)
    container.wait()
    container.remove()
    eventually(lambda: any(event["Action"] == "destroy" for event in heard))
    told = [(event["Action"], event["Actor"]["Attributes"].get("exitCode")) for event in list(heard)]
    show("events", told)
    stream.close()


def networks_and_volumes():
    network = client.networks.create("inner", driver="bridge", labels={"n": "1"})
    network.reload()
    show("network", [network.attrs["Driver"], network.attrs["Labels"], fields(network.attrs)])
    container = keeper("web", network=network.id)
    container.reload()
    show("endpoint", fields(container.attrs["NetworkSettings"]["Networks"]["inner"]))
    show("in network", [member["Name"] for member in client.api.inspect_network(network.id)["Containers"].values()])
    show("filtered", len(client.networks.list(filters={"label": "n=1"})))
    refused("busy network", lambda: network.remove())
    network.disconnect(container)
    container.reload()
    show("out of network", list(container.attrs["NetworkSettings"]["Networks"]))
    network.connect(container, aliases=["data"])
    container.reload()
    show("alias", "data" in container.attrs["NetworkSettings"]["Networks"]["inner"]["Aliases"])
    container.remove(force=True)
    network.remove()
    refused("no network", lambda: client.networks.get("inner"))
    volume = client.volumes.create("data", labels={"v": "1"})
    show("volume", [volume.attrs["Driver"], volume.attrs["Labels"], volume.attrs["Scope"]])
    container = keeper("web", volumes={"data": {"bind": "/data", "mode": "rw"}})
    container.reload()
    mount = container.attrs["Mounts"][0]
    show("mount", [mount["Type"], mount["Name"], mount["Destination"], mount["RW"]])
    refused("busy volume", lambda: volume.remove())
    container.remove(force=True)
    volume.remove()
    refused("no volume", lambda: client.volumes.get("data"))


def images():
    image = client.images.get(IMAGE)
    show("image", [image.tags, image.attrs["Os"], image.attrs["Config"]["Cmd"]])
    image.tag("other", "1")
    show("tagged", client.images.get("other:1").id == image.id)
    client.images.remove("other:1")
    refused("no image", lambda: client.images.get("other:1"))
    saved = b"".join(image.save(named=True))
    client.images.load(saved)
    show("loaded", client.images.get(IMAGE).id == image.id)
    show("history", len(image.history()) > 0)


show("ping", client.ping())
show("version", client.version()["ApiVersion"])
for part in (short_lived, executed, detached_and_listed, living, logs, events, networks_and_volumes, images):
    show("--", part.__name__)
    part()
show("left", [container.name for container in client.containers.list(all=True)])
