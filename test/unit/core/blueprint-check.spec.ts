import { describe, expect, it } from '@jest/globals';
import type { WorkflowBlueprint } from 'flowcraft';
import { assertMeant, blueprintWarnings } from '../../../src/core/blueprint-check.js';
import { planBlueprint } from '../../../src/core/plan.js';
import { blueprint } from '../../support/blueprints.js';

/** A blueprint whose node `b` has these fields. */
const withNode = (fields: object): WorkflowBlueprint => blueprint('odd', 'a>b', { b: fields });

describe('a blueprint with a value that nobody can mean is refused with the field and the node', () => {
  it.each<[object, string]>([
    [{ config: { maxRetries: -1 } }, 'config.maxRetries'],
    [{ config: { maxRetries: 'x' } }, 'config.maxRetries'],
    [{ config: { maxRetries: '3' } }, 'config.maxRetries'],
    [{ config: { maxRetries: 1.5 } }, 'config.maxRetries'],
    [{ config: { maxRetries: NaN } }, 'config.maxRetries'],
    [{ config: { maxRetries: Infinity } }, 'config.maxRetries'],
    [{ config: { maxRetries: true } }, 'config.maxRetries'],
    [{ config: { timeout: '1s' } }, 'config.timeout'],
    [{ config: { timeout: -1 } }, 'config.timeout'],
    [{ config: { timeout: Infinity } }, 'config.timeout'],
    [{ config: { retryDelay: -5 } }, 'config.retryDelay'],
    [{ config: { retryDelay: '5' } }, 'config.retryDelay'],
    [{ config: { maxRetryDelay: {} } }, 'config.maxRetryDelay'],
    [{ config: { joinStrategy: 'zap' } }, 'config.joinStrategy'],
    [{ config: { fallback: 5 } }, 'config.fallback'],
    [{ config: 5 }, 'config'],
    [{ config: [] }, 'config'],
    [{ inputs: 5 }, 'inputs'],
    [{ inputs: { x: 5 } }, 'inputs.x'],
    [{ inputs: { x: null } }, 'inputs.x'],
  ])('%j', (fields, field) => {
    const refused = expect(() => assertMeant(withNode(fields)));
    refused.toThrow(expect.objectContaining({ code: 'FLOW_BLUEPRINT_INVALID', blueprintId: 'odd' }));
    refused.toThrow(`Blueprint 'odd' can't be meant so: ${field} of node 'b' must be `);
  });

  it('all of them at once', () => {
    const fields = { inputs: 5, config: { maxRetries: -1, timeout: '1s' } };
    expect(() => assertMeant(withNode(fields))).toThrow(/maxRetries.*timeout.*inputs/);
  });

  it('but not what flowcraft and this package know', () => {
    for (const fields of [
      {},
      { config: {}, inputs: 'a' },
      { config: { maxRetries: 3, retryDelay: 0, maxRetryDelay: 0.5, timeout: 0, joinStrategy: 'settled' } },
      { config: { maxRetries: 0, fallback: 'nope', own: 'field' }, inputs: { x: 'a', y: '' } },
      { config: null, inputs: null },
      { config: { maxRetries: null, timeout: undefined, joinStrategy: null } },
    ])
      expect(() => assertMeant(withNode(fields))).not.toThrow();
  });
});

describe('a blueprint that flowcraft runs, but not as it looks, is warned of', () => {
  const warningsOf = (bp: WorkflowBlueprint) => blueprintWarnings(planBlueprint(bp));

  it('a node that never executes', () => {
    const [warning, ...others] = warningsOf(withNode({ config: { maxRetries: 0 } }));
    expect(warning).toMatchObject({ nodeId: 'b', message: expect.stringContaining('never executes') as unknown });
    expect(others).toEqual([]);
  });

  it('a fallback that is no node', () => {
    expect(warningsOf(withNode({ config: { fallback: 'nope' } }))).toEqual([
      { nodeId: 'b', message: expect.stringContaining("'nope', which is no node") as unknown },
    ]);
    expect(warningsOf(withNode({ config: { fallback: 'a' } }))).toEqual([]);
  });

  it('a node that waits for one that does not exist', () => {
    const bp = blueprint('odd', 'a>b a>c a>d', { c: { config: { joinStrategy: 'any' } } });
    for (const target of ['b', 'c']) bp.edges.push({ source: 'ghost', target });
    expect(warningsOf(bp)).toEqual([
      { nodeId: 'b', message: expect.stringContaining("leads from 'ghost'") as unknown },
    ]);
  });

  it('a loop that is entered at its controller, which waits for more than comes', () => {
    const loop = (join: string): WorkflowBlueprint => ({
      id: 'loop',
      nodes: [
        { id: 'start', uses: 'a' },
        {
          id: 'again',
          uses: 'loop-controller',
          params: { condition: 'n < 3' },
          config: { joinStrategy: join as 'any' },
        },
        { id: 'body', uses: 'a' },
        { id: 'after', uses: 'a' },
      ],
      edges: [
        { source: 'start', target: 'again' },
        { source: 'again', target: 'body', action: 'continue' },
        { source: 'body', target: 'again' },
        { source: 'again', target: 'after', action: 'break' },
      ],
    });
    expect(warningsOf(loop('all'))).toEqual([
      { nodeId: 'again', message: expect.stringContaining("waits for all of 'start', 'body'") as unknown },
    ]);
    expect(warningsOf(loop('any'))).toEqual([]);
  });

  it('one without nodes', () => {
    expect(warningsOf({ id: 'none', nodes: [], edges: [] })).toEqual([
      { message: expect.stringContaining('has no nodes') as unknown },
    ]);
  });
});
