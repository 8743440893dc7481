import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { NestLoggerBridge } from '../../../src/nest/nest-logger.js';

const spies = () => ({
  log: jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined),
  warn: jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined),
  debug: jest.spyOn(Logger.prototype, 'debug').mockImplementation(() => undefined),
  error: jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined),
});

afterEach(() => jest.restoreAllMocks());

describe('NestLoggerBridge', () => {
  it('appends fields as short text, and nothing where there are none', () => {
    const { log, warn, debug } = spies();
    const bridge = new NestLoggerBridge();
    bridge.log('Started.');
    bridge.warn('Slow.', { runId: 'r', nodeId: 'n', partition: 3, note: undefined });
    bridge.debug('Tried.', { error: new TypeError('no\n  answer'), unfinished: ['a', 'b'] });
    expect(log.mock.calls).toEqual([['Started.']]);
    expect(warn.mock.calls).toEqual([['Slow. [runId=r nodeId=n partition=3]']]);
    expect(debug.mock.calls).toEqual([['Tried. [error=TypeError: no answer unfinished=a,b]']]);
  });

  it('never writes objects, which could hold payloads, and cuts long text', () => {
    const { log } = spies();
    new NestLoggerBridge().log('m', { input: { secret: 1 }, list: [{ secret: 1 }], text: 'x'.repeat(1000) });
    const [[message]] = log.mock.calls as [[string]];
    expect(message).not.toContain('secret');
    expect(message).toContain('list=(1 items)');
    expect(message.length).toBeLessThan(300);
  });

  it('gives the stack of an error, and does not repeat its message', () => {
    const { error } = spies();
    const cause = new Error('broken');
    const bridge = new NestLoggerBridge();
    bridge.error('It is broken', { runId: 'r', error: cause });
    bridge.error('It failed', { error: cause });
    bridge.error('Nothing more');
    expect(error.mock.calls).toEqual([
      ['It is broken [runId=r]', cause.stack],
      ['It failed [error=Error: broken]', cause.stack],
      ['Nothing more'],
    ]);
  });
});
