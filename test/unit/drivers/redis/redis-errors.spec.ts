import { describe, expect, it } from '@jest/globals';
import { UnavailableError } from '../../../../src/core/errors.js';
import { redisError, withoutCommand } from '../../../../src/drivers/redis/redis-errors.js';

function reply(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError', command: { name: 'auth', args: ['secret'] } });
}

describe('An error of Redis', () => {
  it.each([
    "OOM command not allowed when used memory > 'maxmemory'.",
    "OOM command not allowed when used memory > 'maxmemory'. script: 6f1, on @user_script:12.",
    "ERR Error running script (call to f_6f1): @user_script:12: @user_script: 12: -OOM command not allowed when used memory > 'maxmemory'.",
    'LOADING Redis is loading the dataset in memory',
    "READONLY You can't write against a read only replica.",
    'CLUSTERDOWN Hash slot not served',
    'NOSCRIPT No matching script. Please use EVAL.',
    'BUSY Redis is busy running a script.',
    'MISCONF Redis is configured to save RDB snapshots',
    'EXECABORT Transaction discarded because of previous errors.',
    'NOAUTH Authentication required.',
    'ERR max number of clients reached',
  ])('by which the server refuses for now means unavailable: %s', (message) => {
    const error = redisError('claim', reply(message));
    expect(error).toBeInstanceOf(UnavailableError);
    expect((error as Error).message).toContain('redis is not available for claim');
  });

  it.each([
    'Connection is closed.',
    'Command timed out',
    "Stream isn't writeable and enableOfflineQueue options is false",
  ])('of the connection means unavailable: %s', (message) => {
    expect(redisError('settle', new Error(message))).toBeInstanceOf(UnavailableError);
  });

  it.each([
    'ERR user_script:12: attempt to index a nil value',
    'WRONGTYPE Operation against a key holding the wrong kind of value',
    "CROSSSLOT Keys in request don't hash to the same slot",
    "NOPERM this user has no permissions to run the 'eval' command",
    "ERR unknown command 'OOMPH'",
  ])('that repeating cannot heal stays as it is: %s', (message) => {
    const error = reply(message);
    expect(redisError('claim', error)).toBe(error);
  });

  it('of our own making stays as it is', () => {
    const error = new TypeError('x is not a function');
    expect(redisError('claim', error)).toBe(error);
  });

  it('is passed on without the command, whose arguments may be secret', () => {
    expect(JSON.stringify(withoutCommand(reply('WRONGPASS invalid')))).not.toContain('secret');
    expect(withoutCommand(reply('WRONGPASS invalid'))).toMatchObject({
      name: 'ReplyError',
      message: 'WRONGPASS invalid',
    });
  });
});
