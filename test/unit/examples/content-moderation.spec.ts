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

  it.each<[string, string[], RegExp]>([
    ['a number that is none', ['--workers', 'abc'], /^--workers must be a whole number from 0 to 64, not 'abc'\.$/],
    ['a limit that is none', ['--limit', 'abc'], /^--limit must be a whole number, 1 or more, not 'abc'\.$/],
    ['no window', ['--window', '0'], /^--window must be a whole number from 1 to 10000, not '0'\.$/],
    ['an unknown option', ['--nope'], /^Unknown option '--nope'.* See --help\.$/],
    ['a word', ['nope'], /^Unexpected argument 'nope'.* See --help\.$/],
    ['no file', ['--file', 'nope'], /^--file nope can't be read: ENOENT.*\.$/],
    ['another file', ['--file', 'package.json'], /^package\.json:1 is no JSON line .*\.$/],
    ['workers without servers', ['--workers', '2'], /^Without servers .*\.$/],
  ])(
    'says in one line what is wrong with its arguments: %s',
    async (_, args, line) => {
      const program = Program.start(`${APP}/demo/demo.ts`, { FLOWCRAFT_SERVERS: '' }, args);
      try {
        expect(await program.exit).toBe(2);
        expect(program.output.trim()).toMatch(line);
      } finally {
        await program.kill();
      }
    },
    60_000,
  );

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

    it('takes no fields of another type, and no text of blanks', async () => {
      const answers: [object, RegExp][] = [
        [{ text: 'a', id: 9 }, /^id must be a text/],
        [{ text: 'a', id: '' }, /^id must be a text/],
        [{ text: 'a', channel: 7 }, /^channel must be a text/],
        [{ text: ['a'] }, /^text must be a text/],
        [{ text: ' \n\t ' }, /^text must have .* not all blanks/],
        [['a'], /^The body must be a JSON object/],
      ];
      for (const [body, words] of answers) {
        const response = await post('', body);
        expect([response.status, ((await response.json()) as { message: string }).message]).toEqual([
          400,
          expect.stringMatching(words),
        ]);
      }
      expect((await post('', { text: 'a', channel: 'x'.repeat(300) })).status).toBe(400);
      const note = await post('/post-1/review', { action: 'approve', reviewer: 'kim', note: 5 });
      expect(note.status).toBe(400);
      expect((await post('', { text: 'Hello to all of you.', id: null })).status).toBe(202);
    });

    it('ends by itself when it is told to stop', async () => {
      program.child.kill('SIGTERM');
      await program.exit;
      expect(program.output).toContain('has drained');
    }, 20_000);
  });
});
