import { Module } from '@nestjs/common';
import { FlowcraftKafkaModule } from 'nestjs-flowcraft-kafka';
import { ModelStandIn } from './model-stand-in.js';
import { moderationBlueprint } from './moderation.blueprint.js';
import { ModerationsController } from './moderations.controller.js';
import { ModerationsService } from './moderations.service.js';
import { CheckNodes } from './nodes/check.nodes.js';
import { NormaliseTextNode } from './nodes/normalise-text.node.js';
import { OutcomeNodes } from './nodes/outcome.nodes.js';
import { RecordVerdictNode } from './nodes/record-verdict.node.js';
import { TriageNode } from './nodes/triage.node.js';
import { VerdictLog } from './verdict-log.js';

@Module({
  imports: [FlowcraftKafkaModule.forFeature({ blueprints: [moderationBlueprint] })],
  controllers: [ModerationsController],
  providers: [
    ModerationsService,
    ModelStandIn,
    VerdictLog,
    NormaliseTextNode,
    CheckNodes,
    TriageNode,
    OutcomeNodes,
    RecordVerdictNode,
  ],
})
export class ModerationModule {}
