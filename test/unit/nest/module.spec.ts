import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { NodeContext } from 'flowcraft';
import { FlowcraftClient, FlowcraftKafkaModule } from '../../../src/index.js';
import { blueprint } from '../../support/blueprints.js';

const step = async ({ input }: NodeContext) => ({ output: `${String(input)}!` });

describe('FlowcraftKafkaModule', () => {
  it('runs a workflow without servers', async () => {
    @Module({ imports: [FlowcraftKafkaModule.forRoot({ embedded: true, runtime: { registry: { step }, blueprints: { chain: blueprint('chain', 'a>b') } } })] })
    class App {}
    const app = await Test.createTestingModule({ imports: [App] }).compile();
    await app.init();
    const client = app.get(FlowcraftClient);
    const { runId } = await client.start('chain', { x: 1 });
    const outcome = await client.waitForWorkflow(runId);
    expect(outcome).toMatchObject({ status: 'completed', timedOut: false });
    expect(outcome.result?.context).toMatchObject({ b: 'undefined!!' });
    await app.close();
  });
});
