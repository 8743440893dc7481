import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ActiveRun } from '../../../src/engine/active-run.js';
import { TurnsUnderWay, type Flight, type UnsentTurn } from '../../../src/engine/turns-under-way.js';
import { ManualClock } from '../../support/manual-clock.js';
import { RecordingLogger } from '../../support/recording-logger.js';

/** A promise that the test settles. */
class Deferred<T> {
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

const run = { runId: 'r' } as ActiveRun;
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('turns that are on their way in a worker', () => {
  let clock: ManualClock;
  let messages: { node: string; sent: Deferred<void> }[];
  let noted: string[];
  let turns: Map<string, { flight: Flight; end: Deferred<boolean> }>;
  let underWay: TurnsUnderWay;

  const open = (emitDelayMs: number) => {
    clock = new ManualClock();
    messages = [];
    noted = [];
    turns = new Map();
    underWay = new TurnsUnderWay({
      clock,
      logger: new RecordingLogger(),
      emitDelayMs,
      sent: async ({ ready }) => void noted.push(ready.node),
      publish: ({ ready }) => {
        const sent = new Deferred<void>();
        messages.push({ node: ready.node, sent });
        return sent.promise;
      },
    });
  };
  beforeEach(() => open(100));

  const drive = (name: string) => (flight: Flight) => {
    const end = new Deferred<boolean>();
    turns.set(name, { flight, end });
    return end.promise;
  };
  /** Whether the message of the turn is done. */
  const receive = (name: string) => {
    const state = { done: false, error: undefined as unknown };
    (underWay.adopt(name) ?? underWay.begin(name, drive(name))).then(
      () => (state.done = true),
      (error: unknown) => (state.error = error),
    );
    return state;
  };
  const found = (name: string) => {
    const turn = turns.get(name);
    if (!turn) throw new Error(`'${name}' is not on its way.`);
    return turn;
  };
  /** The turn settles, and fires others that go on here. */
  const settle = async (name: string, ...fired: string[]) => {
    const { flight, end } = found(name);
    for (const node of fired) {
      const turn: UnsentTurn = { anchor: flight.anchor, run, ready: { node, turn: '1' } };
      underWay.goOn(node, turn, drive(node));
    }
    end.resolve(true);
    await settled();
  };
  const pass = async (ms: number) => {
    clock.advance(ms);
    await settled();
  };

  it('get no message if they are done soon, and their first message is done when the last of them is', async () => {
    const message = receive('a');
    await settle('a', 'b', 'c');
    await pass(40);
    await settle('b');
    await settle('c', 'd');
    await pass(40);
    expect(message.done).toBe(false);
    await settle('d');
    expect(message.done).toBe(true);
    await pass(1000);
    expect(messages).toEqual([]);
  });

  it('get a message when they go on for longer, and the one before is done when that is durable', async () => {
    const message = receive('a');
    await settle('a', 'b');
    await settle('b', 'c');
    await pass(130);
    expect(messages.map(({ node }) => node)).toEqual(['c']);
    expect(message.done).toBe(false);
    expect(noted).toEqual([]);
    messages[0]?.sent.resolve();
    await settled();
    expect(message.done).toBe(true);
    expect(noted).toEqual(['c']);
    expect(underWay.size).toBe(1);
  });

  it('hang on the last message that was sent', async () => {
    receive('a');
    await settle('a', 'b');
    await pass(130);
    messages[0]?.sent.resolve();
    await settle('b', 'c');
    const second = receive('b');
    await settled();
    expect(second.done).toBe(false);
    await settle('c');
    expect(second.done).toBe(true);
  });

  it('hold the message before while their own is not durable, even if they are done', async () => {
    const message = receive('a');
    await settle('a', 'b');
    await pass(130);
    await settle('b');
    expect(message.done).toBe(false);
    messages[0]?.sent.resolve();
    await settled();
    expect(message.done).toBe(true);
  });

  it('get their message at once when they stop with an error, which brings them back', async () => {
    const message = receive('a');
    await settle('a', 'b');
    found('b').end.reject(new Error('no code for it here'));
    await settled();
    expect(messages.map(({ node }) => node)).toEqual(['b']);
    expect(message.done).toBe(false);
    messages[0]?.sent.resolve();
    await settled();
    expect(message.done).toBe(true);
  });

  it('leave the message before undone when theirs can not be sent any more', async () => {
    const message = receive('a');
    await settle('a', 'b');
    await pass(130);
    messages[0]?.sent.reject(new Error('closed'));
    await settled();
    expect(message.done).toBe(false);
    expect(message.error).toBeInstanceOf(Error);
  });

  it('are not begun again by a message about them, which is done with them', async () => {
    receive('a');
    await settle('a', 'b');
    const { flight } = found('b');
    const again = receive('b');
    await settled();
    expect(found('b').flight).toBe(flight);
    expect(again.done).toBe(false);
    await settle('b');
    expect(again.done).toBe(true);
    expect(underWay.isDone('b')).toBe(true);
    await pass(15_000);
    expect(underWay.isDone('b')).toBe(false);
  });

  it('get a message at once where no delay is wanted', async () => {
    open(0);
    const message = receive('a');
    await settle('a', 'b');
    expect(messages.map(({ node }) => node)).toEqual(['b']);
    expect(message.done).toBe(false);
    messages[0]?.sent.resolve();
    await settled();
    expect(message.done).toBe(true);
  });

  it('are waited for when the worker drains, with their messages; no timer is left', async () => {
    receive('a');
    await settle('a', 'b');
    await pass(130);
    let idle = false;
    void underWay.idle().then(() => (idle = true));
    await settle('b');
    expect(idle).toBe(false);
    messages[0]?.sent.resolve();
    await settled();
    expect(idle).toBe(true);
    expect(clock.pending).toBe(0);
  });
});
