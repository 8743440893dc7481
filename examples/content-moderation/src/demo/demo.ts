import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from '../app.module.js';
import { ModerationsService } from '../moderations.service.js';
import { usesServers } from '../settings.js';
import { demoArguments, USAGE, UsageError, type DemoArguments } from './arguments.js';
import { moderateAll } from './moderate-all.js';
import { Oracle } from './oracle.js';
import { Progress } from './progress.js';
import { summaryOf } from './summary.js';
import { readTexts } from './texts.js';
import { WorkerProcesses } from './worker-processes.js';

try {
  process.exitCode = await demo(demoArguments(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

/** @throws UsageError before anything is started */
async function demo({ workers: processes, window, limit, file, verify, help }: DemoArguments): Promise<number> {
  if (help) {
    console.log(USAGE);
    return 0;
  }
  const servers = usesServers(process.env);
  if (processes > 0 && !servers)
    throw new UsageError('Without servers there is one process only. Set FLOWCRAFT_SERVERS=1, or leave out --workers.');
  const texts = (await readTexts(file)).slice(0, limit);
  if (processes > 0) process.env['FLOWCRAFT_WORKER'] = '0';
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'] });
  let workers: WorkerProcesses | undefined;
  try {
    if (processes > 0) workers = await WorkerProcesses.start(processes);
    const where = servers ? 'Kafka, Cassandra and Redis' : 'this process, without servers';
    const who = workers ? `worker processes ${workers.ids.join(', ')}` : 'this process';
    console.log(`${texts.length} texts. State: ${where}. Nodes run in ${who}.\n`);

    const progress = new Progress(texts.length, process.stdout);
    const started = performance.now();
    const results = await moderateAll(app.get(ModerationsService), texts, {
      window,
      prefix: `demo-${Date.now()}`,
      onProgress: (done) => progress.show(done.length),
    });
    console.log(`\n${summaryOf(results, performance.now() - started)}`);
    if (!verify) return 0;

    const mismatches = await new Oracle().mismatches(texts, results);
    for (const line of mismatches) console.log(`  MISMATCH ${line}`);
    console.log(
      `${texts.length - mismatches.length} of ${texts.length} verdicts are those of flowcraft's own runtime.`,
    );
    return mismatches.length === 0 ? 0 : 1;
  } finally {
    await workers?.stop();
    await app.close();
  }
}
