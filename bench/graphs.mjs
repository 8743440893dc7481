/**
 * The graphs that are measured, in a form that every system can be given: nodes with a kind, and edges. Kinds: `noop`
 * gives out 1, `delay` takes `ms`, `bytes` gives out a text of so many bytes.
 */

/** A node may name its own kind and settings; default: it does nothing. */
export function chain(length, node = { kind: 'noop' }) {
  const nodes = Array.from({ length }, (_, i) => ({ id: `n${i}`, ...node }));
  const edges = nodes.slice(1).map((n, i) => [nodes[i].id, n.id]);
  return { id: `chain-${length}-${node.kind}${node.bytes ?? ''}`, shape: 'chain', nodes, edges };
}

/** One node, `width` parallel ones, one that joins them. */
export function fan(width, node = { kind: 'noop' }) {
  const middle = Array.from({ length: width }, (_, i) => ({ id: `m${i}`, ...node }));
  const nodes = [{ id: 'source', kind: 'noop' }, ...middle, { id: 'join', kind: 'noop' }];
  const edges = middle.flatMap((n) => [
    ['source', n.id],
    [n.id, 'join'],
  ]);
  return { id: `fan-${width}-${node.kind}`, shape: 'fan', nodes, edges };
}

/** `width` parallel nodes, one that joins them. */
export function join(width, node) {
  const starts = Array.from({ length: width }, (_, i) => ({ id: `m${i}`, ...node }));
  return {
    id: `join-${width}-${node.kind}`,
    shape: 'join',
    nodes: [...starts, { id: 'join', kind: 'noop' }],
    edges: starts.map((n) => [n.id, 'join']),
  };
}

/** flowcraft's batch over the array `items` of the initial context. */
export function batch(kind = 'noop', ms) {
  const nodes = [
    {
      id: 'batch_scatter',
      uses: 'batch-scatter',
      inputs: 'items',
      params: {
        workerUsesKey: ms === undefined ? kind : `${kind}${ms}`,
        outputKey: 'results',
        gatherNodeId: 'batch_gather',
      },
    },
    { id: 'batch_gather', uses: 'batch-gather', params: { outputKey: 'results', gatherNodeId: 'batch_gather' } },
  ];
  return { id: `batch-${kind}${ms ?? ''}`, shape: 'batch', nodes, edges: [['batch_scatter', 'batch_gather']] };
}

/** A node that does nothing and one that sleeps for a month. */
export function holding() {
  return {
    id: 'holding',
    shape: 'chain',
    nodes: [
      { id: 'n0', kind: 'noop' },
      { id: 'n1', uses: 'sleep', params: { duration: '30d' } },
    ],
    edges: [['n0', 'n1']],
  };
}

export const GRAPHS = [
  ...[1, 10, 25, 50, 100, 250, 1000].flatMap((n) => [chain(n), chain(n, { kind: 'bytes', bytes: 10_240 })]),
  fan(100),
  join(20, { kind: 'delay', ms: 50 }),
  batch(),
  batch('delay', 500),
  holding(),
];

/** As flowcraft writes it. */
export function blueprintOf(graph) {
  return {
    id: graph.id,
    metadata: { version: '1' },
    nodes: graph.nodes.map(({ kind, ms, bytes, ...node }) => ({
      ...(kind === undefined ? {} : { uses: kind, params: { ms, bytes } }),
      ...node,
    })),
    edges: graph.edges.map(([source, target]) => ({ source, target })),
  };
}
