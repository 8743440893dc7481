export { FlowcraftKafkaTestingModule, type FlowcraftKafkaTestOptions } from './flowcraft-kafka-testing.module.js';
