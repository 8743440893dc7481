// The user's own file: node implementations, blueprints and use cases of the page's programs.
import type { NodeContext, NodeRegistry, WorkflowBlueprint } from 'flowcraft';

const rules: Record<string, (text: string) => string> = {
  pii: (text) => String(/\S+@\S+|\d{3}-\d{4}/.test(text)),
  spam: (text) => String(/buy now/i.test(text)),
  hate: (text) => (/\bfools?\b/i.test(text) ? 'severe' : 'none'),
};

const post = async ({ context }: NodeContext) => String(await context.get('userPost'));

export const agentNodeRegistry: NodeRegistry = {
  check: async (node) => ({ output: rules[String(node.params['rule'])]?.(await post(node)) }),
  route: async ({ context }) => {
    const read = (key: string) => context.get(key);
    if ((await read('check_hate')) === 'severe') return { output: 'ban', action: 'action_ban' };
    if ((await read('check_pii')) === 'true') return { output: 'redact', action: 'action_redact' };
    if ((await read('check_spam')) === 'true') return { output: 'delete', action: 'action_delete_spam' };
    return { output: 'approve', action: 'action_approve' };
  },
  redact: async (node) => ({ output: (await post(node)).replace(/\S+@\S+|\d{3}-\d{4}/g, '[gone]') }),
  write: async ({ params }) => ({ output: params['text'] }),
  result: async ({ context, input }) => {
    await context.set('moderation_result', input);
    return { output: `logged: ${String(input)}` };
  },
};

const subflow = (name: string) => ({
  id: `${name}_branch`,
  uses: 'subflow',
  params: { blueprintId: '401', inputs: { userPost: 'userPost' }, outputs: { redacted: 'redact' } },
});

export const blueprints: Record<string, WorkflowBlueprint> = {
  '400': {
    id: '400',
    nodes: [
      { id: 'check_pii', uses: 'check', params: { rule: 'pii' } },
      { id: 'check_hate', uses: 'check', params: { rule: 'hate' } },
      { id: 'check_spam', uses: 'check', params: { rule: 'spam' } },
      { id: 'triage', uses: 'route' },
      { id: 'ban_branch', uses: 'write', params: { text: 'banned' } },
      subflow('redact'),
      { id: 'use_redacted', uses: 'write', params: { text: 'published without private data' } },
      { id: 'spam_branch', uses: 'write', params: { text: 'deleted' } },
      { id: 'approve_branch', uses: 'write', params: { text: 'published' } },
      { id: 'finish', uses: 'result', config: { joinStrategy: 'any' } },
    ],
    edges: [
      { source: 'check_pii', target: 'triage' },
      { source: 'check_hate', target: 'triage' },
      { source: 'check_spam', target: 'triage' },
      { source: 'triage', target: 'ban_branch', action: 'action_ban' },
      { source: 'triage', target: 'redact_branch', action: 'action_redact' },
      { source: 'triage', target: 'spam_branch', action: 'action_delete_spam' },
      { source: 'triage', target: 'approve_branch', action: 'action_approve' },
      { source: 'redact_branch', target: 'use_redacted' },
      { source: 'ban_branch', target: 'finish' },
      { source: 'use_redacted', target: 'finish' },
      { source: 'spam_branch', target: 'finish' },
      { source: 'approve_branch', target: 'finish' },
    ],
  },
  '401': { id: '401', nodes: [{ id: 'redact', uses: 'redact' }], edges: [] },
};

export const config: Record<string, { mainWorkflowId: string; initialContext: Record<string, unknown> }> = {
  '4.content-moderation': {
    mainWorkflowId: '400',
    initialContext: { userId: 'user-456', userPost: 'Write to kim@example.test or call 555-0199, please.' },
  },
};
