// A worker of the fleet in a process of its own, to be killed. It notes what its nodes do in one file, what it logs in
// another, and does what the harness orders.
import { appendFileSync, openSync } from 'node:fs';
import path from 'node:path';
import { FlowcraftClient, FlowcraftHealth, type LogFields, type Logger } from '../../src/index.js';
import { openApplication } from './application.js';
import { CrashPoints } from './crash-points.js';
import { registryOf } from './nodes.js';
import type { Order, Report, WorkerSetup } from './protocol.js';
import { Random } from './random.js';

const setup = JSON.parse(process.env['CHAOS_WORKER'] ?? '{}') as WorkerSetup;
const random = new Random(setup.seed);
const file = (kind: string) => openSync(path.join(setup.directory, `${setup.name}.${kind}`), 'a');
const [notes, log] = [file('notes'), file('log')];
const note = (...words: (string | number)[]) => appendFileSync(notes, `${words.join('\t')}\n`);
const write =
  (level: string) =>
  (message: string, fields: LogFields = {}) => {
    const { error, ...rest } = fields;
    const why = error instanceof Error ? { error: error.stack } : error === undefined ? {} : { error };
    appendFileSync(log, `${JSON.stringify({ at: Date.now(), level, message, ...rest, ...why })}\n`);
  };
const logger: Logger = { debug: write('debug'), log: write('log'), warn: write('warn'), error: write('error') };

let executions = 0;
const registry = registryOf({
  started: (turn, nonce, seen) =>
    note('S', Date.now(), turn.runId, turn.nodeId, turn.turn, turn.idempotencyKey, turn.claim, nonce, seen.join(',')),
  finished: (turn, nonce) => note('F', Date.now(), turn.runId, turn.nodeId, turn.turn, nonce),
  nonce: () => `${setup.name}/${(executions += 1)}`,
  random: () => random.next(),
  directory: setup.directory,
  isSteady: setup.isSteady ?? false,
});

process.on('uncaughtException', (error) => {
  logger.error('uncaught', { error });
  process.exit(70);
});
process.on('unhandledRejection', (error) => {
  logger.error('unhandled', { error });
  process.exit(71);
});
process.on('disconnect', () => process.exit(0)); // the harness is gone

const crashes = new CrashPoints(({ partition, offset }) => note('M', Date.now(), partition, offset));
const app = await openApplication(setup, registry, logger, (drivers) => crashes.wrap(drivers));
const client = app.get(FlowcraftClient);
const health = app.get(FlowcraftHealth);
const tell = (report: Report) => process.send?.(report);

async function obey(order: Order): Promise<void> {
  if (order.kind === 'crash') return crashes.arm(order.point, order.times);
  try {
    let result: unknown;
    if (order.kind === 'health') result = health.check();
    else if (order.kind === 'start') await client.start(order.blueprintId, order.context, { runId: order.runId });
    else await client.resume(order.runId, { nodeId: order.nodeId, ...order.answer });
    tell({ kind: 'done', id: order.id, ...(result === undefined ? {} : { result }) });
  } catch (error) {
    const { code = 'UNKNOWN', message } = error as Error & { code?: string };
    tell({ kind: 'done', id: order.id, error: { code, message } });
  }
}
process.on('message', (order: Order) => void obey(order));
tell({ kind: 'ready' });
