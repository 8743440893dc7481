import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { NodeDefinition } from 'flowcraft';
import { SHAPES } from '../support/blueprints.js';
import { accepted, granted, LedgerRun, names, type LedgerBench, type OpenLedger } from './ledger-bench.js';

/** Which turns become ready, and when, however often and in whatever order their predecessors settle. */
export function joinContract(open: OpenLedger): void {
  let bench: LedgerBench;
  const start = async (shape: keyof typeof SHAPES) => LedgerRun.open(bench.ledger, SHAPES[shape]);
  const taken = (...ids: string[]) => ({ row: { taken: ids } });
  beforeEach(async () => {
    bench = await open();
  });
  afterEach(() => bench.close());

  describe('a join of all', () => {
    it('becomes ready when its last predecessor settles', async () => {
      const run = await start('diamond');
      await run.pass('a');
      expect((await run.pass('c')).fired).toEqual([]);
      expect(names((await run.pass('b')).fired)).toEqual(['d@1']);
      expect(await run.pass('d')).toMatchObject({ fired: [], open: 0 });
    });

    it('does not count a redelivered predecessor twice', async () => {
      const run = await start('diamond');
      await run.pass('a');
      const claim = granted(await run.claim('b'));
      for (let i = 0; i < 3; i++) expect(accepted(await run.settle(claim, 'b')).fired).toEqual([]);
      expect(await run.claim('d')).toMatchObject({ kind: 'unknown' });
      expect(names((await run.pass('c')).fired)).toEqual(['d@1']);
      expect(names(accepted(await run.settle(claim, 'b')).fired)).toEqual(['d@1']);
    });

    it('is granted once to all that settle at the same time', async () => {
      const run = await start('wide');
      const branches = ['b1', 'b2', 'b3', 'b4', 'b5'];
      await run.pass('a');
      const claims = await Promise.all(
        branches.map(async (node) => ({ node, claim: granted(await run.claim(node, '1', { worker: node })) })),
      );
      const answers = await Promise.all(
        [...claims, ...claims].map(({ node, claim }) => run.settle(claim, node, '1', { worker: node, claim: 1 })),
      );
      const tokens = answers.flatMap((answer) => accepted(answer).fired.flatMap((f) => f.token ?? []));
      expect(tokens).toHaveLength(1);
      expect(accepted(answers[0] ?? { kind: 'missing' }).open).toBeGreaterThan(0);
      expect(await run.claim('z', '1', { worker: 'another' })).toMatchObject({ kind: 'busy', token: tokens[0] });
    });

    it('waits for predecessors that take no edge, and needs one that does', async () => {
      const run = await start('diamond');
      await run.pass('a');
      expect((await run.pass('b')).fired).toEqual([]);
      expect(names((await run.pass('c', '1', taken())).fired)).toEqual(['d@1']);

      const dead = await start('diamond');
      await dead.pass('a');
      await dead.pass('b', '1', taken());
      expect(await dead.pass('c', '1', taken())).toMatchObject({ fired: [], open: 0 });
    });

    it('never becomes ready if a predecessor failed', async () => {
      const run = await start('diamond');
      await run.pass('a');
      await run.pass('b', '1', { row: { status: 'failed', taken: [] } });
      expect(await run.pass('c')).toMatchObject({ fired: [], open: 0, failed: true });
    });
  });

  describe('a join of any', () => {
    it('becomes ready once for each arrival, the second time when the first has settled', async () => {
      const run = await start('any');
      await run.pass('a');
      const claim = granted(await run.claim('b'));
      expect(names(accepted(await run.settle(claim, 'b')).fired)).toEqual(['d@b']);
      expect(names((await run.pass('c')).fired)).toEqual([]);
      expect(await run.claim('d', 'c')).toMatchObject({ kind: 'busy' });
      expect(names((await run.pass('d', 'b')).fired)).toContain('d@c');
      expect(accepted(await run.settle(claim, 'b')).fired).toEqual([]);
      expect(await run.pass('d', 'c')).toMatchObject({ open: 1 });
    });

    it('names the turns of a cycle by what led to them', async () => {
      const run = await start('cycle');
      await run.pass('s');
      const first = await run.pass('p', 's');
      expect(names(first.fired)).toEqual(['q@1']);
      const second = await run.pass('q', '1', { row: { taken: ['p'], action: 'again' } });
      expect(names(second.fired)).toEqual(['p@q']);
    });
  });

  it('a join of the first becomes ready at the first arrival only', async () => {
    const run = await start('first');
    await run.pass('a');
    expect(names((await run.pass('c')).fired)).toEqual(['d@1']);
    await run.pass('d');
    expect(await run.pass('b')).toMatchObject({ fired: [], open: 0 });
  });

  describe('a join of what has settled', () => {
    it('becomes ready once nothing that is open leads to it, if an edge was taken', async () => {
      const run = await start('settled');
      await run.pass('a', '1', taken('b', 'f'));
      expect((await run.pass('b')).fired).toEqual([]);
      expect(await run.claim('d')).toMatchObject({ kind: 'unknown' });
      const claim = granted(await run.claim('f'));
      const failed = { row: { status: 'failed' as const, taken: [] } };
      for (let i = 0; i < 2; i++)
        expect(names(accepted(await run.settle(claim, 'f', '1', failed)).fired)).toEqual(['d@1']);
      expect(names((await run.pass('d')).fired)).toEqual(['e@1']);
      expect(accepted(await run.settle(claim, 'f', '1', failed)).fired).toEqual([]);
    });

    it('waits for what waits', async () => {
      const run = await start('settled');
      await run.pass('a');
      await run.pass('b');
      await run.pass('c');
      await run.pass('f', '1', { row: { status: 'awaiting', taken: [] } });
      expect(await run.claim('d')).toMatchObject({ kind: 'unknown' });
      const claim = granted(await run.claim('f', '1', { mode: 'resume' }));
      expect(names(accepted(await run.settle(claim, 'f')).fired)).toEqual(['d@1']);
    });

    it('becomes ready in each pass of its loop', async () => {
      const run = await start('settledLoop');
      await run.pass('start');
      for (const pass of ['1', '2']) {
        await run.pass('l', pass, taken('x'));
        await run.pass('x', pass);
        await run.pass('y', pass, taken());
        expect(names((await run.pass('z', pass)).fired)).toEqual([`d@${pass}`]);
        await run.pass('d', pass);
      }
      expect(names((await run.pass('l', '3', taken('end'))).fired)).toEqual(['end@1']);
    });
  });

  it('a choice makes only the taken target ready', async () => {
    const run = await start('choice');
    expect(names((await run.pass('a', '1', taken('c'))).fired)).toEqual(['c@1']);
    expect(names((await run.pass('c')).fired)).toEqual(['d@c']);
  });

  describe('a loop', () => {
    it('counts passes, and joins within each pass', async () => {
      const run = await start('loop');
      expect(names((await run.pass('start')).fired)).toEqual(['l@1']);
      for (const pass of ['1', '2', '3']) {
        expect(names((await run.pass('l', pass, taken('x'))).fired)).toEqual([`x@${pass}`]);
        expect(granted(await run.claim('x', pass)).passes).toEqual([pass]);
        expect(names((await run.pass('x', pass)).fired)).toEqual([`y@${pass}`, `z@${pass}`]);
        const claim = granted(await run.claim('y', pass));
        accepted(await run.settle(claim, 'y', pass));
        expect(accepted(await run.settle(claim, 'y', pass)).fired).toEqual([]);
        expect(names((await run.pass('z', pass)).fired)).toEqual([`w@${pass}`]);
        expect(names((await run.pass('w', pass)).fired)).toEqual([`l@${Number(pass) + 1}`]);
      }
      expect(names((await run.pass('l', '4', taken('end'))).fired)).toEqual(['end@1']);
      expect(await run.pass('end')).toMatchObject({ fired: [], open: 0 });
    });

    it('finds the same turns when the controller of an earlier pass is redelivered', async () => {
      const run = await start('loop');
      await run.pass('start');
      const claim = granted(await run.claim('l', '1'));
      accepted(await run.settle(claim, 'l', '1', taken('x')));
      for (const node of ['x', 'y', 'z', 'w']) await run.pass(node, '1');
      expect(accepted(await run.settle(claim, 'l', '1', taken('x'))).fired).toEqual([]);
      expect(names((await run.pass('l', '2', taken('x'))).fired)).toEqual(['x@2']);
    });

    it('counts the passes of a loop within a loop anew in each outer pass', async () => {
      const run = await start('nested');
      await run.pass('start');
      for (const [outer, inner] of [
        ['1', 'o#'],
        ['2', 'o:2#'],
      ] as const) {
        expect(names((await run.pass('o', outer, taken('i'))).fired)).toEqual([`i@${inner}1`]);
        for (const pass of [1, 2]) {
          expect(names((await run.pass('i', `${inner}${pass}`, taken('x'))).fired)).toEqual([
            `x@${outer}/${inner}${pass}`,
          ]);
          expect(names((await run.pass('x', `${outer}/${inner}${pass}`)).fired)).toEqual([`i@${inner}${pass + 1}`]);
        }
        expect(names((await run.pass('i', `${inner}3`, taken('e'))).fired)).toEqual([`e@${outer}`]);
        expect(names((await run.pass('e', outer)).fired)).toEqual([`o@${Number(outer) + 1}`]);
      }
      expect(names((await run.pass('o', '3', taken('end'))).fired)).toEqual(['end@1']);
    });
  });

  describe('dynamic nodes', () => {
    const workers = (count: number): NodeDefinition[] =>
      Array.from({ length: count }, (_, i) => ({ id: `s:1:${i}`, uses: 'step' }));
    const scatter = (count: number) => ({ row: { taken: ['g'], dynamicNodes: workers(count), gather: 'g' } });

    it('become ready with their creator, and their gatherer after the last of them', async () => {
      const run = await start('batch');
      await run.pass('a');
      const claim = granted(await run.claim('s'));
      const answer = accepted(await run.settle(claim, 's', '1', scatter(3)));
      expect(names(answer.fired)).toEqual(['s:1:0@1', 's:1:1@1', 's:1:2@1']);
      expect(answer.fired[0]?.origin).toEqual({ creator: 's', creatorTurn: '1', gather: 'g' });
      expect(accepted(await run.settle(claim, 's', '1', scatter(3)))).toEqual(answer);
      for (const node of ['s:1:2', 's:1:0']) {
        const worker = granted(await run.claim(node));
        expect(worker.origin).toEqual({ creator: 's', creatorTurn: '1', gather: 'g' });
        for (let i = 0; i < 2; i++) expect(accepted(await run.settle(worker, node)).fired).toEqual([]);
      }
      const last = granted(await run.claim('s:1:1'));
      expect(names(accepted(await run.settle(last, 's:1:1')).fired)).toEqual(['g@1']);
      expect(await run.claim('s:1:1')).toMatchObject({ kind: 'settled', origin: { creator: 's' } });
      expect(names((await run.pass('g')).fired)).toEqual(['z@1']);
    });

    it('that are none leave their gatherer ready at once', async () => {
      const run = await start('batch');
      await run.pass('a');
      expect(names((await run.pass('s', '1', scatter(0))).fired)).toEqual(['g@1']);
    });

    it('that fail leave their gatherer waiting for ever', async () => {
      const run = await start('batch');
      await run.pass('a');
      await run.pass('s', '1', scatter(2));
      for (const [node, status] of [
        ['s:1:0', 'failed'],
        ['s:1:1', 'completed'],
      ] as const) {
        const claim = granted(await run.claim(node));
        expect(accepted(await run.settle(claim, node, '1', { row: { status, taken: [] } })).fired).toEqual([]);
      }
    });
  });

  describe('a fallback', () => {
    const rescued = { row: { status: 'failed' as const, rescuer: 'f', taken: [] } };

    it('stands in for the failed node before a join', async () => {
      const run = await start('fallback');
      await run.pass('a');
      expect(names((await run.pass('b', '1', rescued)).fired)).toEqual(['f@1']);
      expect(await run.pass('c')).toMatchObject({ fired: [], rescued: true, failed: false });
      expect(names((await run.pass('f', '1', taken('d'))).fired)).toEqual(['d@1']);
    });

    it('lets the join go on without it when the node completes', async () => {
      const run = await start('fallback');
      await run.pass('a');
      await run.pass('c');
      expect(names((await run.pass('b')).fired)).toEqual(['d@1']);
      expect(await run.claim('f')).toMatchObject({ kind: 'unknown' });
    });

    it('shared by two nodes runs once and completes both', async () => {
      const run = await start('shared');
      await run.pass('a');
      expect(names((await run.pass('b', '1', rescued)).fired)).toEqual(['f@1']);
      expect((await run.pass('f', '1', taken('d'))).fired).toEqual([]);
      const late = granted(await run.claim('c'));
      expect(names(accepted(await run.settle(late, 'c', '1', rescued)).fired)).toEqual(['d@1']);
      expect(names(accepted(await run.settle(late, 'c', '1', rescued)).fired)).toEqual(['d@1']);
    });
  });
}
