/** Sums a V8 CPU profile by the part of the program that the time was spent in. */
/** The first pattern that a frame's file matches names its part; frames of Node itself count for whoever called them. */
const PARTS = [
  ['cassandra driver', /cassandra-driver|node_modules\/long\//],
  ['redis driver', /ioredis|redis-parser|@ioredis/],
  ['kafka driver', /node_modules\/kafkajs/],
  ['flowcraft', /node_modules\/flowcraft/],
  ['engine', /dist\/(engine|core|ports|testing)\//],
  ['drivers of this package', /dist\/drivers\//],
  ['nest and composition', /@nestjs|dist\/(nest|composition)/],
  ['benchmark', /\/bench\//],
  ['other packages', /node_modules/],
];

export function partsOf(profile) {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const parent = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])));
  const part = new Map();
  const partOf = (id) => {
    if (part.has(id)) return part.get(id);
    const { callFrame } = byId.get(id);
    let found = PARTS.find(([, pattern]) => pattern.test(callFrame.url))?.[0];
    if (callFrame.functionName === '(idle)') found = 'idle';
    if (callFrame.functionName === '(garbage collector)') found = 'garbage collection';
    const above = parent.get(id);
    found ??= above === undefined ? 'node' : partOf(above);
    part.set(id, found);
    return found;
  };
  const parts = new Map();
  const functions = new Map();
  profile.samples.forEach((id, i) => {
    const micros = profile.timeDeltas[i];
    const name = partOf(id);
    parts.set(name, (parts.get(name) ?? 0) + micros);
    const { callFrame } = byId.get(id);
    const where = `${callFrame.functionName || '(anonymous)'} ${callFrame.url.split('/').slice(-3).join('/')}:${callFrame.lineNumber + 1}`;
    functions.set(where, (functions.get(where) ?? 0) + micros);
  });
  const sorted = (map) => [...map].sort((a, b) => b[1] - a[1]);
  return { parts: sorted(parts), functions: sorted(functions) };
}
