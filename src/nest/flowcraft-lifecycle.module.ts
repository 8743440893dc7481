import { Module } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { WorkerLifecycle } from './worker-lifecycle.js';

/** Nest gives the root module 1 and what it imports more. */
const BEFORE_THE_ROOT = -1;

/**
 * Nest runs the hooks of modules in the order of their distance from the root, and those at the same distance in the
 * order of the import: global ones first when the application starts, the root last; and the other way around when it
 * closes. Wherever the application imports us, the worker has to come after all of its providers, and its drain before
 * them: so this module puts itself in front of the root.
 */
@Module({ providers: [WorkerLifecycle] })
export class FlowcraftLifecycleModule {
  constructor(modules: ModulesContainer) {
    for (const module of modules.values())
      if (module.metatype === FlowcraftLifecycleModule) module.distance = BEFORE_THE_ROOT;
  }
}
