import { UncertainAttempts } from '../../../../src/drivers/cassandra/uncertain-attempts.js';

describe('the names of attempts', () => {
  it('are new each time', () => {
    const attempts = new UncertainAttempts();
    expect(attempts.take('x')).not.toBe(attempts.take('x'));
  });

  it('are the same for the repetition of one whose outcome is unknown, and for that only', () => {
    const attempts = new UncertainAttempts();
    const name = attempts.take('x');
    attempts.keep('x', name);
    expect(attempts.take('y')).not.toBe(name);
    expect(attempts.take('x')).toBe(name);
    expect(attempts.take('x')).not.toBe(name);
  });

  it('are forgotten when there are too many, the oldest first', () => {
    const attempts = new UncertainAttempts();
    for (let i = 0; i < 1001; i++) attempts.keep(`x${i}`, `name${i}`);
    expect(attempts.take('x0')).not.toBe('name0');
    expect(attempts.take('x1')).toBe('name1');
  });
});
