/** BullMQ flows: trees of jobs in Redis. A graph is turned so that its last node is the root of the tree. */
import { FlowProducer, Queue, QueueEvents, Worker } from 'bullmq';
import { Fleet } from '../fleet.mjs';
import { work } from '../nodes.mjs';
import { ADDRESSES, CONCURRENCY } from '../settings.mjs';

const connection = () => {
  const { hostname, port } = new URL(ADDRESSES.redis);
  return { host: hostname, port: Number(port || 6379), maxRetriesPerRequest: null };
};

export const title = 'BullMQ flows';
export const durability = 'Redis, append-only file, fsync each second';

export async function startWorker({ name, concurrency = CONCURRENCY }, stamps) {
  const flows = new FlowProducer({ connection: connection(), prefix: name });
  const handler = async (job) => {
    const { kind, ms, bytes, runId, then } = job.data;
    stamps.take(runId);
    const output = await work(kind, { ms, bytes });
    // a fan has two levels: flows are trees, so what opens it adds the rest
    if (then) await flows.add(then);
    return output;
  };
  const worker = new Worker('nodes', handler, { connection: connection(), prefix: name, concurrency });
  await worker.waitUntilReady();
  return async () => {
    await worker.close();
    await flows.close();
  };
}

export async function open({ name, concurrency, workers = 1 }) {
  const options = { connection: connection(), prefix: name };
  const flows = new FlowProducer(options);
  const queue = new Queue('nodes', options);
  const events = new QueueEvents('nodes', options);
  events.setMaxListeners(0);
  await events.waitUntilReady();
  const ended = new Map();
  events.on('completed', ({ jobId }) => ended.get(jobId)?.());
  let runs = 0;
  const config = { name, concurrency };
  let fleet = await Fleet.start('bullmq', config, { workers });
  return {
    get fleet() {
      return fleet;
    },
    async run(graph) {
      const runId = `r${++runs}`;
      const rootId = `${runId}_${graph.nodes.at(-1).id}`;
      const finished = new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`Nobody heard of the end of ${rootId}.`)), 300_000);
        ended.set(rootId, () => {
          clearTimeout(late);
          resolve();
        });
      });
      await flows.add(flowOf(graph, runId));
      this.submittedAt = performance.now();
      await finished;
      ended.delete(rootId);
      return { runId };
    },
    /** Its completed jobs stay in Redis, with their outputs, until they are removed. */
    tidy: () => queue.clean(0, 0, 'completed'),
    async resize(count) {
      await fleet.stop();
      fleet = await Fleet.start('bullmq', config, { workers: count });
    },
    async close() {
      await fleet.stop();
      await events.close();
      await queue.obliterate({ force: true });
      await queue.close();
      await flows.close();
    },
  };
}

function flowOf(graph, runId) {
  const job = (node, children) => ({
    name: node.id,
    queueName: 'nodes',
    data: { runId, kind: node.kind, ms: node.ms, bytes: node.bytes },
    opts: { jobId: `${runId}_${node.id}`, removeOnComplete: false },
    ...(children ? { children } : {}),
  });
  const { nodes } = graph;
  if (graph.shape === 'chain') return nodes.reduce((below, node) => job(node, below && [below]), undefined);
  const leaves = nodes.slice(graph.shape === 'fan' ? 1 : 0, -1);
  const tree = job(
    nodes.at(-1),
    leaves.map((node) => job(node)),
  );
  if (graph.shape !== 'fan') return tree;
  const source = job(nodes[0]);
  return { ...source, data: { ...source.data, then: tree } };
}
