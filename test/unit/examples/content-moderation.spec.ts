import { Program } from '../../support/program.js';

const APP = 'examples/content-moderation/src';

describe('the content moderation example, without servers', () => {
  it('moderates all of its texts as the in-process runtime does', async () => {
    const program = Program.start(`${APP}/demo/demo.ts`, { CHECK_LATENCY_MS: '1' }, ['--verify']);
    try {
      expect(await program.exit).toBe(0);
      expect(program.output).toContain("256 of 256 verdicts are those of flowcraft's own runtime.");
    } finally {
      await program.kill();
    }
  }, 60_000);

  describe('over HTTP', () => {
    let program: Program;
    let url: string;

    beforeAll(async () => {
      program = Program.start(`${APP}/main.ts`, { PORT: '0', CHECK_LATENCY_MS: '1' });
      [, url = ''] = await program.writes(/Listening at (\S+)/);
    }, 60_000);
    afterAll(() => program.kill());

    const post = (path: string, body: object) =>
      fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const state = async (id: string) =>
      (await (await fetch(`${url}/${id}`)).json()) as { status: string; verdict?: object; review?: object };
    const settled = async (id: string) => {
      for (;;) {
        const found = await state(id);
        if (found.status !== 'running') return found;
      }
    };

    it('accepts a text at once and has its verdict later', async () => {
      const response = await post('', { text: 'Write to me at kim@example.com, please.', channel: 'forum' });
      const { id } = (await response.json()) as { id: string };
      expect(response.status).toBe(202);
      expect(await settled(id)).toMatchObject({
        status: 'completed',
        verdict: { verdict: 'redacted', text: 'Write to me at [email], please.', decidedBy: 'rules' },
      });
    });

    it('holds a borderline text until a reviewer has answered, and takes one answer only', async () => {
      await post('', { text: 'You are a moron.', id: 'post-1' });
      expect(await settled('post-1')).toMatchObject({ status: 'awaiting', review: { decision: 'review' } });
      expect(await (await fetch(url)).json()).toEqual({ awaiting: ['post-1'] });

      const answer = { action: 'reject', reviewer: 'kim' };
      expect((await post('/post-1/review', answer)).status).toBe(202);
      expect(await settled('post-1')).toMatchObject({
        status: 'completed',
        verdict: { verdict: 'rejected', decidedBy: 'kim' },
      });
      expect((await post('/post-1/review', answer)).status).toBe(409);
    });

    it('starts a text once, however often it is posted with the same id', async () => {
      const first = await post('', { text: 'Hello there, all of you.', id: 'post-2' });
      const again = await post('', { text: 'Hello there, all of you.', id: 'post-2' });
      const other = await post('', { text: 'Something else.', id: 'post-2' });
      expect([first.status, again.status, other.status]).toEqual([202, 202, 409]);
    });

    it('says what is wrong with a request', async () => {
      expect((await post('', { txt: 'a' })).status).toBe(400);
      expect((await post('', { text: 'a', id: 'no spaces' })).status).toBe(400);
      expect((await post('/post-1/review', { action: 'perhaps', reviewer: 'kim' })).status).toBe(400);
      expect((await fetch(`${url}/unknown`)).status).toBe(404);
    });

    it('ends by itself when it is told to stop', async () => {
      program.child.kill('SIGTERM');
      await program.exit;
      expect(program.output).toContain('has drained');
    }, 20_000);
  });
});
