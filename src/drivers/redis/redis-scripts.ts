import type { Cluster, Redis } from 'ioredis';
import { BEGIN } from './scripts/begin.js';
import { CLAIM } from './scripts/claim.js';
import { CLAIM_UNSENT } from './scripts/claim-unsent.js';
import { CONCLUDE } from './scripts/conclude.js';
import { ELECT } from './scripts/elect.js';
import { END } from './scripts/end.js';
import { GIVE_BACK } from './scripts/give-back.js';
import { IDLE } from './scripts/idle.js';
import { INCREMENT } from './scripts/increment.js';
import { INSTALL } from './scripts/install.js';
import { LOCK } from './scripts/lock.js';
import { RENEW } from './scripts/renew.js';
import { RESIGN } from './scripts/resign.js';
import { SENT } from './scripts/sent.js';
import { SETTLE } from './scripts/settle.js';
import { SETTLE_GROUP } from './scripts/settle-group.js';
import { SETTLE_STRAIGHT } from './scripts/settle-straight.js';
import { TAKE } from './scripts/take.js';
import { TOUCH } from './scripts/touch.js';

export type RedisConnection = Redis | Cluster;

const SCRIPTS = {
  claim: { numberOfKeys: 1, lua: CLAIM },
  claimUnsent: { numberOfKeys: 1, lua: CLAIM_UNSENT },
  renew: { numberOfKeys: 1, lua: RENEW },
  settle: { numberOfKeys: 1, lua: SETTLE },
  settleStraight: { lua: SETTLE_STRAIGHT },
  settleGroup: { numberOfKeys: 1, lua: SETTLE_GROUP },
  giveBack: { numberOfKeys: 1, lua: GIVE_BACK },
  sent: { numberOfKeys: 1, lua: SENT },
  install: { numberOfKeys: 2, lua: INSTALL },
  begin: { numberOfKeys: 3, lua: BEGIN },
  lock: { numberOfKeys: 2, lua: LOCK },
  end: { numberOfKeys: 1, lua: END },
  conclude: { numberOfKeys: 2, lua: CONCLUDE },
  touch: { numberOfKeys: 1, lua: TOUCH },
  idle: { numberOfKeys: 1, lua: IDLE },
  take: { numberOfKeys: 2, lua: TAKE },
  elect: { numberOfKeys: 1, lua: ELECT },
  resign: { numberOfKeys: 1, lua: RESIGN },
  increment: { numberOfKeys: 1, lua: INCREMENT },
} as const;

export type ScriptName = keyof typeof SCRIPTS;
/** A long list goes as one argument, which ioredis flattens: a call cannot have as many arguments as a run has fields. */
export type ScriptArgument = string | number | readonly string[];
type Command = (this: RedisConnection, ...args: ScriptArgument[]) => Promise<unknown>;

const defined = new WeakSet<RedisConnection>();

/**
 * Makes the scripts known to a connection. ioredis sends the text of a script once over each socket and its digest from
 * then on, and the text again to a server that has forgotten it. Must come before the first command of a tick: a
 * pipeline in the making knows only the scripts that were there when it began.
 */
export function defineScripts(redis: RedisConnection): void {
  if (defined.has(redis)) return;
  defined.add(redis);
  for (const [name, definition] of Object.entries(SCRIPTS)) redis.defineCommand(commandOf(name), definition);
}

/** The keys first, then the arguments, as the head of the script's file has them. */
export function runScript(redis: RedisConnection, name: ScriptName, ...args: ScriptArgument[]): Promise<unknown> {
  defineScripts(redis);
  const command = (redis as unknown as Record<string, Command>)[commandOf(name)] as Command;
  return command.apply(redis, args);
}

/** The connection may be the caller's own, with commands of its own. */
function commandOf(name: string): string {
  return `flowcraftKafka_${name}`;
}
