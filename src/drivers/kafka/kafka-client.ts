import { Kafka, logLevel, type Admin, type KafkaConfig, type RetryOptions } from 'kafkajs';
import type { Logger } from '../../ports/logger.js';
import { kafkaLogCreator } from './kafka-log.js';
import { OwnedSockets } from './kafka-sockets.js';
import { orTimeout, within } from './kafka-deadline.js';

const CONNECTION_TIMEOUT_MS = 1000;
const REQUEST_TIMEOUT_MS = 10_000;
/** What kafkajs takes when nobody says otherwise; all that is known of a ready instance. */
const KAFKAJS_REQUEST_TIMEOUT_MS = 30_000;
const CLOSE_MS = 2000;
const RETRY: RetryOptions = { initialRetryTime: 100, maxRetryTime: 2000, retries: 10 };
/** For calls that their caller repeats: kafkajs' own repetitions can't be stopped. */
const ONCE: RetryOptions = { initialRetryTime: 100, maxRetryTime: 500, retries: 1 };

/** One kafkajs client with the sockets of its own. */
export interface KafkaConnection {
  readonly kafka: Kafka;
  /** Ends its sockets for good, whatever kafkajs waits for. Does nothing on an instance that the user made. */
  readonly sever: () => void;
}

/** Makes kafkajs clients from the user's options, or hands out the instance that the user made. */
export class KafkaClient {
  readonly requestTimeoutMs: number;
  readonly retry: RetryOptions;
  /** Private to the runtime, so that no inspection prints credentials. */
  readonly #source: KafkaConfig | Kafka;

  constructor(
    source: KafkaConfig | Kafka,
    private readonly logger: Logger,
  ) {
    this.#source = source;
    this.requestTimeoutMs = isKafka(source)
      ? KAFKAJS_REQUEST_TIMEOUT_MS
      : (source.requestTimeout ?? REQUEST_TIMEOUT_MS);
    this.retry = isKafka(source) ? RETRY : { ...RETRY, ...source.retry };
  }

  /** `repeated`: the caller repeats what fails, so that kafkajs should not. */
  open(use: { repeated: boolean }): KafkaConnection {
    const source = this.#source;
    if (isKafka(source)) return { kafka: source, sever: () => undefined };
    const sockets = new OwnedSockets(source.socketFactory);
    const { brokers } = source;
    const kafka = new Kafka({
      ...source,
      clientId: source.clientId ?? 'flowcraft',
      connectionTimeout: source.connectionTimeout ?? CONNECTION_TIMEOUT_MS,
      requestTimeout: this.requestTimeoutMs,
      logLevel: source.logLevel ?? logLevel.INFO,
      logCreator: source.logCreator ?? kafkaLogCreator(this.logger, () => sockets.isSevered),
      retry: use.repeated ? { ...this.retry, ...ONCE } : this.retry,
      socketFactory: sockets.factory,
      // kafkajs stops repeating a connect only when there is no broker to connect to
      brokers: async () => (sockets.isSevered ? [] : typeof brokers === 'function' ? brokers() : brokers),
    });
    return { kafka, sever: () => sockets.sever() };
  }

  /** Runs `use` with an admin client that lives no longer than that, nor than `timeoutMs`. */
  async withAdmin<T>(timeoutMs: number, use: (admin: Admin) => Promise<T>): Promise<T> {
    const { kafka, sever } = this.open({ repeated: true });
    const admin = kafka.admin({ retry: ONCE });
    const work = async () => {
      await admin.connect();
      return use(admin);
    };
    try {
      return await orTimeout(timeoutMs, work());
    } catch (error) {
      // kafkajs would wait for answers that do not come
      sever();
      throw error;
    } finally {
      await within(CLOSE_MS, admin.disconnect(), (error) =>
        this.logger.debug('The Kafka admin client did not close', { error }),
      );
      sever();
    }
  }
}

export function isKafka(source: KafkaConfig | Kafka): source is Kafka {
  return 'producer' in source && typeof source.producer === 'function';
}
