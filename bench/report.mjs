/**
 * Makes docs/performance.md of the JSON in bench/results. What stands there beside the figures is here.
 *
 *   npm run bench:report
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cellsOf, figure } from './table.mjs';

const RESULTS = path.join(import.meta.dirname, 'results');
const DOCUMENT = path.join(import.meta.dirname, '..', 'docs', 'performance.md');

async function read(name) {
  try {
    return JSON.parse(await readFile(path.join(RESULTS, name), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const times = (ratio) => (ratio === undefined ? '-' : `${ratio.toFixed(2)}`);

/** Workloads with the same columns, as one table. */
function workloads({ results }) {
  const lines = [
    '| workload | unit | turns | floor | this package | BullMQ flows | original | to floor | to BullMQ | to original |',
    '| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: |',
  ];
  for (const { toFloor, toBullmq, toOriginal, ...measured } of results) {
    const [title, unit, ...figures] = cellsOf(measured);
    const { rounds: turns } = measured.systems['flowcraft-kafka'];
    const cells = [title, unit, turns, ...figures, times(toFloor), times(toBullmq), times(toOriginal)];
    lines.push(`| ${cells.join(' | ')} |`);
  }
  return lines;
}

function machine({ machine: m, at, results, note }) {
  const loads = results.map(({ load }) => load);
  const packages = Object.entries(m.packages).map(([name, version]) => `${name} ${version ?? '-'}`);
  return [
    `Measured on ${at.slice(0, 10)}: ${m.cores} cores (${m.cpu}), ${m.memoryGiB} GiB, ${m.platform}, Node ${m.node.slice(1)}. ` +
      `Servers, workers and clients share these cores. Load while measuring ${figure(Math.min(...loads))} to ${figure(Math.max(...loads))}: ` +
      'above the number of cores, something else was running as well, and only the ratios count.',
    '',
    ...elsewhere(results, at, m.cpu).flatMap((line) => [line, '']),
    `Packages: ${packages.join(', ')}. Medians of all turns, lowest and highest in brackets.`,
    ...(note === undefined ? [] : ['', note]),
  ];
}

/** What was measured on another day or machine. */
function elsewhere(results, at, cpu) {
  const whereOf = (result) => `${(result.at ?? at).slice(0, 10)} (${result.cpu ?? cpu})`;
  const places = new Set(results.map(whereOf));
  places.delete(whereOf({}));
  const titles = (place) => results.filter((result) => whereOf(result) === place).map(({ title }) => title);
  return [...places].map((place) => `On ${place}: ${titles(place).join('; ')}.`);
}

function profileLines(profile) {
  const elsewhere = profile.elsewhereMicrosPerNode.map(([name, micros]) => `| ${name} | ${figure(micros)} |`);
  const parts = profile.parts.map(([name, micros]) => `| worker: ${name} | ${figure(micros)} |`);
  const per = profile.perNode
    .filter(([, n]) => n >= 0.001)
    .map(([name, n]) => `| ${name} | ${n >= 10 ? Math.round(n) : n.toFixed(3)} |`);
  return [
    `Measured on ${profile.at.slice(0, 10)}: ${profile.runs} runs of '${profile.graph}' at once; ${Math.round(profile.nodesPerSecond)} nodes/s, load ${figure(profile.load)}.`,
    '',
    '| CPU of a node | microseconds |',
    '| --- | --: |',
    `| worker, all | ${figure(profile.cpuMicrosPerNode)} |`,
    ...parts,
    ...elsewhere,
    '',
    '| what a worker asks for, and bytes | a node |',
    '| --- | --: |',
    ...per,
  ];
}

/** Profiles side by side. */
function comparisonLines(profiles) {
  const of = (list, name) => list.find(([other]) => other === name)?.[1] ?? 0;
  const rows = [
    ['nodes/s', (p) => Math.round(p.nodesPerSecond)],
    ['CPU of a node in the worker, us', (p) => figure(p.cpuMicrosPerNode)],
    ...['kafka driver', 'garbage collection', 'engine'].map((name) => [
      `of that, ${name}`,
      (p) => figure(of(p.parts, name)),
    ]),
    ['CPU of a node in Kafka, us', (p) => figure(of(p.elsewhereMicrosPerNode, 'kafka'))],
  ];
  return [
    `| ${profiles[0][1].graph}, ${profiles[0][1].runs} at once | ${profiles.map(([title]) => title).join(' | ')} |`,
    `| --- |${' --: |'.repeat(profiles.length)}`,
    ...rows.map(([title, value]) => `| ${title} | ${profiles.map(([, p]) => value(p)).join(' | ')} |`),
  ];
}

function backlogLines(backlog) {
  return [
    `${backlog.runs} runs of two nodes were submitted in ${figure(backlog.submitSeconds)} s while no worker was there; ` +
      `one worker with a heap of at most ${backlog.heapLimitMegabytes} MB (\`--max-old-space-size\`) executed all ${backlog.nodes} nodes ` +
      `in ${figure(backlog.seconds)} s (load ${figure(backlog.load)}). Its heap never held more than ${figure(backlog.mostHeapMegabytes)} MB, ` +
      `the process ${figure(backlog.mostResidentMegabytes)} MB; ${backlog.executedTwice} nodes were executed twice.`,
  ];
}

/** Of clients and workers of all systems, and of the floor. */
function nodeOptions({ results }) {
  const used = [...new Set(results.map((result) => result.nodeOptions ?? ''))].filter((options) => options !== '');
  const lines = used.map((options) => {
    const others = results.filter((result) => (result.nodeOptions ?? '') !== options).map(({ title }) => title);
    const but = others.length > 0 ? `, except for: ${others.join('; ')}` : '';
    return `- Clients and workers of all systems, and the floor, run with Node's \`${options}\` ([tuning](tuning.md#memory-and-cpu-of-a-worker))${but}.\n`;
  });
  return lines.join('');
}

const [bench, profile, long, wide, each, backlog] = await Promise.all(
  ['bench', 'profile', 'profile-100', 'profile-fan', 'profile-messages', 'backpressure'].map((name) =>
    read(`${name}.json`),
  ),
);

const text = `# Performance

This page is made by \`npm run bench:report\` of what \`npm run bench\`, \`npm run bench:profile\` and \`npm run bench:backpressure\` measured. Run them on your machine: absolute figures differ by a factor, ratios by a little.

${machine(bench).join('\n')}

## Workloads

- **floor**: one Cassandra write (the row of a hop) and one Redis script, with the bare drivers, at the same concurrency: what a durable hop costs at least. No run is started or ended, and no message sent. Where W1b comes again, the floor also makes the requests with which runs start and end here. So it does where one run is executed at a time (W1a, W4), but there only the time of the hops counts, as it does for the others.
- **BullMQ flows**: Redis alone. A job is durable when Redis has written its append-only file.
- **original**: \`@flowcraft/kafka-adapter\` from npm, one round. Its nodes do not know their run: where others are measured by the hop, its figure is that of a whole run.
- Servers, workers and clients are warm: each system repeats a workload until it gets hardly faster, for a minute at most, before its rounds; not so for W6, where workers have just started. Workers here and of BullMQ execute up to ${bench.concurrency} nodes at a time.
${nodeOptions(bench)}- The systems take turns, and so do workloads that are compared with each other (W1b, W2 and W3; the lengths of W4; the sizes of W5): what the machine does to one, it does to all. Every other turn goes the other way around.
- Workers here take up to 1,000,000 turns a run and 16 MiB a value, for the longest chains and batches; both limits are lower by default.
- A node is one durably recorded step that does nothing, unless the title says more. A hop is the time from the start of a node to the start of the next. Rates count all nodes from the first start to the last end, so the start and the end of each run are part of them.

${workloads(bench).join('\n')}

A ratio \`to floor\` or \`to BullMQ\` below 1 is slower where the unit is a rate, and faster where it is a time. BullMQ flows keep everything in Redis and pass over the journal that lets a run here outlive the loss of Redis. That journal, written by Cassandra on the same cores, takes half to three quarters of the CPU that a worker does for a node ([below](#where-the-time-of-a-node-goes)), and a run that is alone waits for it: there BullMQ is faster, as it is from \`start()\` to the first node, and it needs less while idle.

Durability: Kafka \`acks=all\` (one broker), Cassandra with one replica, \`LOCAL_QUORUM\`, \`commitlog_sync: periodic\` (its default), Redis append-only file with fsync each second for all systems.

## Where the time of a node goes

${profileLines(profile).join('\n')}

A run of 10 nodes pays for its start and end (a lightweight transaction, two statuses, a result) with every node. Without that share, in chains of 100:

${profileLines(long).join('\n')}

In fans of 100 with a join, where branches wait in the worker and are written together ([decision 21](decisions/0021-claimed-ahead-of-a-permit.md)):

${profileLines(wide).join('\n')}

## What a message costs

Nodes that go on in a worker need no message ([decision 20](decisions/0020-what-goes-on-here-needs-no-message.md)). The first profile again, beside one with a message for each node, measured right after it:

${comparisonLines([
  ['as by default', profile],
  ['`emitDelayMs: 0`', each],
]).join('\n')}

## A backlog

Measured on ${backlog.at.slice(0, 10)}.

${backlogLines(backlog).join('\n')}

What bounds it is explained in [Tuning](tuning.md#back-pressure). What larger fleets need is in [Scaling](scaling.md).
`;
await writeFile(DOCUMENT, text);
