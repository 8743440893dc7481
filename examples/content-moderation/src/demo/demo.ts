import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { NestFactory } from '@nestjs/core';
import { AppModule } from '../app.module.js';
import { ModerationsService } from '../moderations.service.js';
import { usesServers } from '../settings.js';
import { moderateAll } from './moderate-all.js';
import { Oracle } from './oracle.js';
import { Progress } from './progress.js';
import { summaryOf } from './summary.js';
import { readTexts } from './texts.js';
import { WorkerProcesses } from './worker-processes.js';

/** npm runs scripts in the root of the repository. */
const TEXTS = 'examples/content-moderation/texts.jsonl';

const USAGE = `Usage: npm run demo -- [options]

  --verify        compare each verdict with that of flowcraft's in-process runtime
  --workers <n>   worker processes; needs servers: FLOWCRAFT_SERVERS=1 (default: this process is the worker)
  --window <n>    texts on their way at a time (default: 32)
  --limit <n>     only the first n texts
  --file <path>   JSON lines { id, channel, text } (default: the texts of this example)
`;

const { values } = parseArgs({
  options: {
    verify: { type: 'boolean', default: false },
    workers: { type: 'string', default: '0' },
    window: { type: 'string', default: '32' },
    limit: { type: 'string', default: 'Infinity' },
    file: { type: 'string', default: TEXTS },
    help: { type: 'boolean', default: false },
  },
});
process.exitCode = values.help ? usage() : await demo();

async function demo(): Promise<number> {
  const servers = usesServers(process.env);
  const processes = Number(values.workers);
  if (processes > 0 && !servers) {
    console.error('Without servers there is one process only. Set FLOWCRAFT_SERVERS=1, or leave out --workers.');
    return 2;
  }
  const texts = (await readTexts(values.file)).slice(0, Number(values.limit));
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
      window: Number(values.window),
      prefix: `demo-${Date.now()}`,
      onProgress: (done) => progress.show(done.length),
    });
    console.log(`\n${summaryOf(results, performance.now() - started)}`);
    if (!values.verify) return 0;

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

function usage(): number {
  console.log(USAGE);
  return 0;
}
