import { describe, expect, it } from '@jest/globals';
import { KafkaAdmission } from '../../../../src/drivers/kafka/kafka-admission.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

function anAdmission() {
  const asked: { answer: () => void; fail: (error: Error) => void }[] = [];
  const admit = () => new Promise<void>((answer, fail) => asked.push({ answer, fail }));
  const clock = new ManualClock();
  const admission = new KafkaAdmission({ admit }, clock, new RecordingLogger());
  return { admission, asked, clock };
}

describe('admission', () => {
  it('asks for one message at a time, and again only when it was handed over', async () => {
    const { admission, asked } = anAdmission();
    const order: string[] = [];
    const first = admission.enter().then((ok) => order.push(`first ${ok}`));
    const second = admission.enter().then((ok) => order.push(`second ${ok}`));
    expect(asked).toHaveLength(1);
    asked[0]?.answer();
    await first;
    expect(asked).toHaveLength(1);
    admission.used();
    expect(asked).toHaveLength(2);
    asked[1]?.answer();
    await second;
    expect(order).toEqual(['first true', 'second true']);
  });

  it('dismisses those who wait, and keeps the answer that comes later for the next', async () => {
    const { admission, asked } = anAdmission();
    const waiting = [admission.enter(), admission.enter()];
    admission.dismiss();
    expect(await Promise.all(waiting)).toEqual([false, false]);
    asked[0]?.answer();
    await Promise.resolve();
    expect(await admission.enter()).toBe(true);
    expect(asked).toHaveLength(1);
  });

  it('gives an answer that was not used to the next', async () => {
    const { admission, asked } = anAdmission();
    const first = admission.enter();
    asked[0]?.answer();
    await first;
    admission.unused();
    expect(await admission.enter()).toBe(true);
    expect(asked).toHaveLength(1);
  });

  it('asks a handler again that failed to answer', async () => {
    const { admission, asked, clock } = anAdmission();
    const entering = admission.enter();
    asked[0]?.fail(new Error('broken'));
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1000);
    asked[1]?.answer();
    expect(await entering).toBe(true);
  });
});
