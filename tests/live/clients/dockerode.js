// The usual calls of dockerode against the endpoint in DOCKER_HOST.
//
// Prints a line for each step, its name and its result, without anything that differs from run to run: whoever serves the
// endpoint, the transcript is the same.

const { PassThrough } = require('node:stream');
const Docker = require('dockerode');

const IMAGE = 'busybox:latest';
const [, host, port] = /^tcp:\/\/(.*):(\d+)$/.exec(process.env.DOCKER_HOST);
const docker = new Docker({ protocol: 'http', host, port, version: 'v1.41' });

function show(step, value) {
  console.log(`${step}: ${JSON.stringify(value)}`);
}

async function refused(step, call) {
  try {
    show(step, ['done', await call()]);
  } catch (error) {
    // A manager has other statuses for some of it.
    show(step, error.statusCode >= 400 ? 'refused' : error.statusCode);
  }
}

function whole(stream) {
  return new Promise((resolve, reject) => {
    const pieces = [];
    stream.on('data', (piece) => pieces.push(piece));
    stream.on('end', () => resolve(Buffer.concat(pieces).toString()));
    stream.on('error', reject);
  });
}

/// Both streams of the output of a process, apart.
function apart(stream) {
  const [out, err] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, out, err);
  const end = () => {
    out.end();
    err.end();
  };
  stream.on('end', end);
  stream.on('close', end);
  return Promise.all([whole(out), whole(err)]);
}

async function executed(container, command, hijack) {
  const exec = await container.exec({ Cmd: command, AttachStdout: true, AttachStderr: true });
  const stream = await exec.start(hijack ? { hijack: true, stdin: false } : {});
  const output = await apart(stream);
  return [...output, (await exec.inspect()).ExitCode];
}

async function main() {
  show('ping', (await docker.ping()).toString());
  show('version', (await docker.version()).ApiVersion);

  const out = new PassThrough();
  const said = whole(out);
  const [result, ran] = await docker.run(IMAGE, ['sh', '-c', 'echo hello; exit 3'], out);
  out.end();
  show('run', [await said, result.StatusCode]);
  await ran.remove();

  const short = await docker.createContainer({ Image: IMAGE, Cmd: ['sh', '-c', 'echo out; echo err >&2; sleep 0.2; exit 4'], name: 'short' });
  const attached = apart(await short.attach({ stream: true, stdout: true, stderr: true }));
  const waited = short.wait({ condition: 'next-exit' });
  await short.start();
  show('wait', (await waited).StatusCode);
  show('attach', await attached);
  const logs = await short.logs({ stdout: true, stderr: false });
  show('logs', logs.subarray(8).toString());
  const state = (await short.inspect()).State;
  show('state', [state.Status, state.Running, state.ExitCode]);
  show('exited', (await docker.listContainers({ all: true, filters: { exited: ['4'] } })).map((found) => found.State));
  await short.remove();

  const web = await docker.createContainer({
    Image: IMAGE, Cmd: ['sleep', '1000'], name: 'web', Labels: { a: 'b' }, ExposedPorts: { '80/tcp': {} },
    HostConfig: { Init: true, PortBindings: { '80/tcp': [{ HostPort: '8080' }] } },
  });
  await web.start();
  for (const hijack of [false, true]) {
    show('exec', await executed(web, ['sh', '-c', 'echo a; echo b >&2; exit 5'], hijack));
    const twenty = [];
    for (let number = 0; number < 10; number += 1) {
      twenty.push((await executed(web, ['echo', 'hi'], hijack))[0]);
    }
    show('ten', [...new Set(twenty)]);
  }
  const cat = await web.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
  const typed = await cat.start({ hijack: true, stdin: true });
  const echoed = apart(typed);
  typed.write('echoed\n');
  typed.end();
  show('exec input', await echoed);
  const detached = await web.exec({ Cmd: ['true'] });
  await detached.start({ Detach: true });
  const listed = await docker.listContainers({ filters: { label: ['a=b'] } });
  show('list', listed.map((found) => [found.State, found.Ports[0].PrivatePort, found.Ports[0].PublicPort, found.Ports[0].Type]));
  show('inspect', Object.keys((await web.inspect()).HostConfig).filter((key) => /^(Nano|Memory$|Restart|Port)/.test(key)).sort());
  show('top', (await web.top()).Titles.length);
  show('stats', (await web.stats({ stream: false })).name);
  await web.pause();
  show('paused', (await web.inspect()).State.Status);
  await web.unpause();
  await web.resize({ h: 24, w: 80 });
  await web.rename({ name: 'db' });
  show('renamed', (await web.inspect()).Name);
  await web.kill();
  show('killed', (await web.wait()).StatusCode);
  await refused('exec stopped', () => web.exec({ Cmd: ['true'] }));
  await refused('stop stopped', () => web.stop());
  await web.remove();
  await refused('not found', () => web.inspect());
  await refused('no image', () => docker.createContainer({ Image: 'nowhere/nothing:1' }));

  const heard = [];
  const events = await docker.getEvents({ filters: { type: ['container'], container: ['told'] } });
  events.on('data', (piece) => heard.push(...piece.toString().trim().split('\n')));
  const told = await docker.createContainer({ Image: IMAGE, Cmd: ['false'], name: 'told', HostConfig: { AutoRemove: true } });
  await told.start();
  for (let tries = 0; tries < 600 && !heard.some((line) => line.includes('"destroy"')); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  show('events', heard.map((line) => JSON.parse(line)).map((event) => [event.Action, event.Actor.Attributes.exitCode]));
  events.destroy();

  const network = await docker.createNetwork({ Name: 'inner', Driver: 'bridge' });
  show('network', (await network.inspect()).Driver);
  await network.remove();
  const volume = await docker.createVolume({ Name: 'data' });
  show('volume', volume.name ?? volume.Name);
  await docker.getVolume('data').remove();
  show('image', (await docker.getImage(IMAGE).inspect()).RepoTags);
  show('left', (await docker.listContainers({ all: true })).length);
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
