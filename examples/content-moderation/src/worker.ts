import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

/** A process that executes nodes and serves nothing else. Start as many as you like. */
const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'] });
app.enableShutdownHooks();
process.once('disconnect', () => void app.close()); // whoever forked this process is gone
process.send?.('ready');
