/**
 * What names may be that stand in statements, keys and protocols of the servers, where values can't be bound. Each
 * function answers why a name can't be one, or undefined if it can.
 */

const CQL_NAME = /^[A-Za-z][A-Za-z0-9_]{0,47}$/;
/** The words of CQL that can't be names without quotes. */
const CQL_RESERVED = new Set(
  (
    'add allow alter and apply asc authorize batch begin by columnfamily create default delete desc describe drop ' +
    'entries execute from full grant if in index infinity insert into is keyspace limit materialized mbean mbeans ' +
    'modify nan norecursive not null of on or order primary rename replace revoke schema select set table to token ' +
    'truncate unlogged unset update use using view where with'
  ).split(' '),
);
const DATA_CENTRE = /^[A-Za-z0-9_. -]{1,100}$/;
const TOPIC = /^[A-Za-z0-9._-]{1,240}$/;
const GROUP = /^[^\p{Cc}]{1,249}$/u;
const KEY_PREFIX = /^[^{}\s\p{Cc}]{1,100}$/u;

/** Of a keyspace or table. */
export function cqlNameProblem(name: string): string | undefined {
  if (!CQL_NAME.test(name)) return 'must be a letter and then up to 47 letters, digits or _, as Cassandra wants it';
  return CQL_RESERVED.has(name.toLowerCase()) ? 'must not be a word that CQL reserves' : undefined;
}

export function dataCentreProblem(name: string): string | undefined {
  return DATA_CENTRE.test(name) ? undefined : 'must be the name of a data centre: letters, digits, _ . - and spaces';
}

/** Of the jobs topic: ten characters are left for the names that are derived from it. */
export function topicProblem(name: string): string | undefined {
  if (!TOPIC.test(name)) return 'must be 1 to 240 letters, digits, dots, _ or -, as Kafka wants it';
  return name === '.' || name === '..' ? 'must not be . or ..' : undefined;
}

export function groupProblem(name: string): string | undefined {
  return GROUP.test(name) ? undefined : 'must be 1 to 249 characters without control characters';
}

/** Of keys in Redis: braces would move the keys of one run into several slots of a cluster. */
export function keyPrefixProblem(name: string): string | undefined {
  return KEY_PREFIX.test(name)
    ? undefined
    : 'must be 1 to 100 characters without braces, spaces and control characters';
}
