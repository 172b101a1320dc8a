// What tests do with testcontainers for Node.js, against the endpoint in DOCKER_HOST.
//
// Prints a line for each step, its name and its result, without anything that differs from run to run.

const { GenericContainer, Wait, getContainerRuntimeClient } = require('testcontainers');

const IMAGE = 'busybox:latest';
const SERVE = 'sleep 0.5; echo ready; mkdir -p /www; echo page > /www/index.html; exec httpd -f -p 80 -h /www';

function show(step, value) {
  console.log(`${step}: ${JSON.stringify(value)}`);
}

async function main() {
  const server = await new GenericContainer(IMAGE)
    .withCommand(['sh', '-c', SERVE])
    .withExposedPorts(80)
    .withEnvironment({ A: '1' })
    .withLabels({ a: 'b' })
    .withCopyContentToContainer([{ content: 'a page\n', target: '/tmp/page' }])
    .withWaitStrategy(Wait.forLogMessage('ready'))
    .withStartupTimeout(60_000)
    .start();
  show('exec', await server.exec(['sh', '-c', 'echo $A; echo b >&2; exit 3']).then((done) => [done.stdout, done.stderr, done.exitCode]));
  show('ten', [...new Set(await Promise.all(Array.from({ length: 10 }, async () => (await server.exec('echo hi')).output)))]);
  show('copied', (await server.exec(['cat', '/tmp/page'])).output);
  const client = await getContainerRuntimeClient();
  const [binding] = (await client.container.getById(server.getId()).inspect()).NetworkSettings.Ports['80/tcp'];
  show('same port', String(server.getMappedPort(80)) === binding.HostPort);
  // One of several nodes is told by its address.
  const host = ['', '0.0.0.0', '::'].includes(binding.HostIp) ? server.getHost() : binding.HostIp;
  show('answer', (await fetch(`http://${host}:${binding.HostPort}/`)).status);
  await server.restart();
  show('restarted', (await client.container.getById(server.getId()).inspect()).State.Running);
  await server.stop({ timeout: 1 });

  const job = await new GenericContainer(IMAGE)
    .withCommand(['sh', '-c', 'echo done; exit 0'])
    .withWaitStrategy(Wait.forOneShotStartup())
    .start();
  show('job', await new Promise((resolve, reject) => {
    job.logs().then((stream) => {
      let text = '';
      stream.on('data', (piece) => { text += piece; });
      stream.on('end', () => resolve(text));
      stream.on('error', reject);
    }, reject);
  }));
  await job.stop();
}

// The library does not let the program live for the sake of logs that it waits for.
setInterval(() => {}, 1000);
main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
