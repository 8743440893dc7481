import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { until } from './redis-lab.js';
import { RedisServer } from './redis-server.js';

const SLOTS = 16_384;

/** A Redis Cluster of masters, as small as one may be. */
export class RedisClusterServers {
  private constructor(readonly servers: readonly RedisServer[]) {}

  static async start(masters = 3): Promise<RedisClusterServers> {
    const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--maxmemory-policy', 'noeviction'];
    const servers = await Promise.all(Array.from({ length: masters }, () => RedisServer.start(args)));
    const cluster = new RedisClusterServers(servers);
    const share = Math.ceil(SLOTS / masters);
    await cluster.onEach(async (redis, i) => {
      await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
      await redis.call('CLUSTER', 'ADDSLOTSRANGE', i * share, Math.min(SLOTS, (i + 1) * share) - 1);
      for (const { port } of servers) await redis.call('CLUSTER', 'MEET', '127.0.0.1', port);
    });
    await cluster.onEach((redis) =>
      until(async () => String(await redis.call('CLUSTER', 'INFO')).includes('cluster_state:ok')),
    );
    return cluster;
  }

  get nodes(): { host: string; port: number }[] {
    return this.servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  async onEach<T>(call: (redis: Redis, index: number) => Promise<T>): Promise<T[]> {
    return Promise.all(
      this.servers.map(async ({ port }, i) => {
        const redis = new Redis(port);
        try {
          return await call(redis, i);
        } finally {
          redis.disconnect();
        }
      }),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}

/** A master, a replica, and one sentinel that makes the replica master when the master is gone. */
export class RedisSentinelServers {
  private constructor(
    readonly master: RedisServer,
    readonly replica: RedisServer,
    readonly sentinel: RedisServer,
    private readonly dir: string,
  ) {}

  static readonly masterName = 'flowcraft-master';

  static async start(): Promise<RedisSentinelServers> {
    const dir = await mkdtemp(path.join(tmpdir(), 'sentinel-'));
    const master = await RedisServer.start();
    const replica = await RedisServer.start([
      '--replicaof',
      '127.0.0.1',
      String(master.port),
      '--repl-diskless-sync-delay',
      '0',
    ]);
    const file = path.join(dir, 'sentinel.conf');
    const name = RedisSentinelServers.masterName;
    await writeFile(
      file,
      [
        `sentinel monitor ${name} 127.0.0.1 ${master.port} 1`,
        `sentinel down-after-milliseconds ${name} 1000`,
        `sentinel failover-timeout ${name} 5000`,
      ].join('\n'),
    );
    const sentinel = await RedisServer.start([], file);
    const servers = new RedisSentinelServers(master, replica, sentinel, dir);
    await servers.knowsReplica();
    return servers;
  }

  async stop(): Promise<void> {
    await Promise.all([this.sentinel.stop(), this.replica.stop(), this.master.stop()]);
    await rm(this.dir, { recursive: true, force: true });
  }

  private async knowsReplica(): Promise<void> {
    const redis = new Redis(this.sentinel.port);
    await until(async () => /slaves=1/.test(await redis.info('sentinel')));
    redis.disconnect();
    await once(redis, 'end');
  }
}
