/**
 * Injection tokens of what has no class. All of them can be replaced with `overrideProvider()` in tests.
 * FLOWCRAFT_KAFKA, FLOWCRAFT_CASSANDRA and FLOWCRAFT_REDIS are only handed out: what the engine itself works with is
 * replaced by FLOWCRAFT_DRIVERS.
 */

/** The options as the application gave them. */
export const FLOWCRAFT_KAFKA_OPTIONS = Symbol('FLOWCRAFT_KAFKA_OPTIONS');
/** The options, validated and completed. */
export const FLOWCRAFT_SETTINGS = Symbol('FLOWCRAFT_SETTINGS');
/** The connected drivers of queue, store, ledger and signals. */
export const FLOWCRAFT_DRIVERS = Symbol('FLOWCRAFT_DRIVERS');
/** The clock of the engine. */
export const FLOWCRAFT_CLOCK = Symbol('FLOWCRAFT_CLOCK');
/** The source of ids and randomness of the engine. */
export const FLOWCRAFT_IDS = Symbol('FLOWCRAFT_IDS');
/** Where the engine logs. */
export const FLOWCRAFT_LOGGER = Symbol('FLOWCRAFT_LOGGER');
/** The `Kafka` instance of kafkajs. */
export const FLOWCRAFT_KAFKA = Symbol('FLOWCRAFT_KAFKA');
/** The `Client` of cassandra-driver. */
export const FLOWCRAFT_CASSANDRA = Symbol('FLOWCRAFT_CASSANDRA');
/** The `Redis` or `Cluster` of ioredis. */
export const FLOWCRAFT_REDIS = Symbol('FLOWCRAFT_REDIS');
