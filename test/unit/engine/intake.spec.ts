import { describe, expect, it } from '@jest/globals';
import { Intake } from '../../../src/engine/intake.js';

describe('the intake of a worker', () => {
  it('is full when its window is', async () => {
    const intake = new Intake(2);
    intake.enter();
    intake.enter();
    let admitted = false;
    const next = intake.admit().then(() => (admitted = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(admitted).toBe(false);
    intake.leave();
    await next;
    expect(admitted).toBe(true);
  });

  it('has room for others while a message only waits for the claim of another worker', async () => {
    const intake = new Intake(1);
    intake.enter();
    const next = intake.admit();
    let over = () => {};
    const parked = intake.park(new Promise<void>((resolve) => (over = resolve)));
    await next;
    intake.enter();
    over();
    await parked;
    expect(intake.size).toBe(2);
  });
});
