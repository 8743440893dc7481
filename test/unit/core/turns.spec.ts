import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { turnOfArrival, turnOfEntry, turnOfNextPass, turnOfPasses } from '../../../src/core/turns.js';

describe('the name of a turn', () => {
  it('outside of loops is always the first', () => {
    expect(turnOfPasses([])).toBe('1');
  });

  it('in loops names the passes, outermost first', () => {
    expect(turnOfPasses(['3'])).toBe('3');
    expect(turnOfPasses(['2', '2.3'])).toBe('2/2.3');
  });

  it('of an any join names the arrival', () => {
    expect(turnOfArrival('b', '1')).toBe('b');
    expect(turnOfArrival('b', '3')).toBe('b:3');
  });

  it('of an any join stays short in cycles, and differs from arrival to arrival', () => {
    const seen = new Set<string>();
    let turn = '1';
    for (let i = 0; i < 200; i++) {
      turn = turnOfArrival('some-node', turn);
      expect(turn.length).toBeLessThan(40);
      seen.add(turn);
    }
    expect(seen.size).toBe(200);
  });

  it('of a loop counts its passes, in each pass of the loop around it anew', () => {
    expect(turnOfEntry([], 's', '1', true)).toBe('1');
    expect(turnOfEntry(['2'], 's', '2', true)).toBe('2.1');
    expect(turnOfNextPass('1')).toBe('2');
    expect(turnOfNextPass('9')).toBe('10');
    expect(turnOfNextPass('2.1')).toBe('2.2');
  });

  it('of a loop that is entered several times keeps the entries apart', () => {
    expect(turnOfEntry([], 'b', '1', false)).toBe('b#1');
    expect(turnOfEntry(['2'], 'b', 'x:2', false)).toBe('b:x:2#1');
    expect(turnOfNextPass('b#1')).toBe('b#2');
    expect(turnOfNextPass('b:2#9')).toBe('b:2#10');
  });

  it('after any number of passes is that number', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.constantFrom('', '2.', 'b#', 'n7:3#'), (passes, prefix) => {
        let turn = `${prefix}1`;
        for (let i = 0; i < passes; i++) turn = turnOfNextPass(turn);
        expect(turn).toBe(`${prefix}${passes + 1}`);
      }),
    );
  });
});
