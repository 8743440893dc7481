const BROKER = /^[^\s:/]+:(\d{1,5})$/;
const REDIS = /^(rediss?:\/\/|unix:\/\/|\/)./;

/** What is wrong with a broker as kafkajs reads it; undefined if nothing is. */
export function brokerProblem(text: string): string | undefined {
  return isPort(Number(BROKER.exec(text)?.[1])) ? undefined : "must be host and port, as 'localhost:9092'";
}

/** What is wrong with the address of a Redis server; undefined if nothing is. The text is not shown: it may hold a password. */
export function redisAddressProblem(text: string): string | undefined {
  if (!REDIS.test(text)) return "must be a URL, as 'redis://localhost:6379'";
  if (!text.startsWith('redis') || URL.canParse(text)) return undefined;
  return "is no valid URL, as 'redis://localhost:6379'; the port must be 1 to 65535, and special characters of a password percent-encoded";
}

export function isPort(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;
}
