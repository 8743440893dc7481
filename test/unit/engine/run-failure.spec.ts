import { afterEach, describe, expect, it } from '@jest/globals';
import type { NodeContext, NodeRegistry, WorkflowBlueprint } from 'flowcraft';
import { RunTimeoutError } from '../../../src/core/errors.js';
import { OutcomeRefusedError } from '../../../src/core/limit-errors.js';
import { reasonOf, summaryOf, type NodeError } from '../../../src/engine/run-failure.js';
import { Fleet, type FleetProcess } from '../../support/fleet.js';

const failed = (message: string, cause?: string): NodeError => ({
  nodeId: 'a',
  turn: '1',
  message,
  ...(cause === undefined ? {} : { cause: { name: 'Error', message: cause } }),
  at: '2026-01-01T00:00:00.000Z',
});

describe('the reason of a run that failed by its nodes', () => {
  const wrapped = "Node 'a' execution failed";
  const inSubflow = `Sub-workflow 'child' did not complete successfully. Status: failed. Error: ${wrapped}`;
  const refused = (words: string) => new OutcomeRefusedError('a', { cause: new Error(words) }).message;

  it.each([
    [failed(wrapped, 'no money'), `${wrapped}: no money`],
    [failed(wrapped, 'failed'), `${wrapped}: failed`],
    [failed(wrapped, 'a'), `${wrapped}: a`],
    [failed(inSubflow, 'failed'), `${inSubflow}: failed`],
    [failed('no money', 'no money'), 'no money'],
    [failed('It went wrong: no money', 'no money'), 'It went wrong: no money'],
    [failed(refused('no money'), 'no money'), refused('no money')],
    [failed(wrapped, ''), wrapped],
    [failed(wrapped), wrapped],
  ])('has the words of the node once: %j', (error, reason) => {
    expect(reasonOf([error])).toBe(reason);
  });

  it('counts the other errors', () => {
    expect(reasonOf([failed(wrapped, 'x'), failed('other'), failed('other')])).toBe(`${wrapped}: x (and 2 more)`);
  });
});

describe('the log line of a run that failed', () => {
  it('names nodes, and has the words of neither nodes nor callers', () => {
    expect(summaryOf([failed("Node 'a' execution failed", 'secret')], 'secret')).toBe("'a'.");
    expect(summaryOf([], 'secret')).toBe('it was ended from outside, and getRun() has the reason.');
  });

  it('says that the run was out of time, also if a node had failed before', () => {
    const parent = { runId: 'above', nodeId: "it's" };
    for (const { message } of [new RunTimeoutError('r', 5), new RunTimeoutError('r', 5, parent)])
      for (const errors of [[], [failed('x')]]) expect(summaryOf(errors, message)).toBe(message);
  });
});

describe('a run that is out of time', () => {
  let fleet: Fleet;
  afterEach(() => fleet.end());

  const hangs: WorkflowBlueprint = { id: 'hangs', nodes: [{ id: 'h', uses: 'hang' }], edges: [] };
  const calls: WorkflowBlueprint = {
    id: 'calls',
    nodes: [{ id: 'sub', uses: 'subflow', params: { blueprintId: 'hangs' }, config: { timeout: 100 } }],
    edges: [],
  };
  const registry: NodeRegistry = {
    hang: async ({ signal }: NodeContext) => {
      await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      return {};
    },
  };
  const open = async (): Promise<FleetProcess> => {
    fleet = new Fleet(registry, [hangs, calls], 4000);
    const process = await fleet.process();
    await process.engine.worker.start();
    return process;
  };
  const warnings = ({ logger }: FleetProcess) => logger.lines.filter(({ level }) => level === 'warn');

  it('says so in the log', async () => {
    const process = await open();
    const { runId } = await process.engine.client.start('hangs', {}, { timeoutMs: 100 });
    const { reason } = await process.engine.client.wait(runId, {});
    expect(reason).toContain(`Run '${runId}' did not end within 100 ms, the timeoutMs of its start.`);
    while (warnings(process).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(warnings(process).map(({ message }) => message)).toEqual([`Run failed: ${reason}`]);
  });

  it('as a subflow names its node and the config.timeout that was over', async () => {
    const { engine } = await open();
    const { runId } = await engine.client.start('calls', {}, {});
    const { reason } = await engine.client.wait(runId, {});
    const limit = `did not end within 100 ms, the config.timeout of node 'sub' of run '${runId}', whose subflow it is.`;
    expect(reason).toContain(limit);
    expect(reason).not.toContain('start');
    const { runs } = await engine.client.list({ blueprintId: 'hangs' });
    expect((await engine.client.describe(runs[0]?.runId ?? '')).reason).toContain(limit);
  });
});
