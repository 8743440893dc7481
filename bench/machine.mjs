/** What the figures depend on. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';

const versionOf = async (require, name) => {
  const paths = require.resolve.paths(name) ?? [];
  for (const path of paths) {
    try {
      return JSON.parse(await readFile(`${path}/${name}/package.json`, 'utf8')).version;
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
  return undefined;
};

export async function describeMachine() {
  const ours = createRequire(new URL('../package.json', import.meta.url));
  const theirs = createRequire(import.meta.url);
  const [cpu] = os.cpus();
  return {
    cores: os.cpus().length,
    cpu: cpu?.model,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    platform: `${os.type()} ${os.release()}`,
    node: process.version,
    packages: {
      flowcraft: await versionOf(ours, 'flowcraft'),
      kafkajs: await versionOf(ours, 'kafkajs'),
      'cassandra-driver': await versionOf(ours, 'cassandra-driver'),
      ioredis: await versionOf(ours, 'ioredis'),
      bullmq: await versionOf(theirs, 'bullmq'),
      '@flowcraft/kafka-adapter': await versionOf(theirs, '@flowcraft/kafka-adapter'),
    },
  };
}

export const loadNow = () => os.loadavg()[0];
