import { readFile } from 'node:fs/promises';
import { DEFAULT_OPTIONS } from '../../src/composition/default-options.js';
import { ErrorCode } from '../../src/core/errors.js';
import { Program } from '../support/program.js';

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'docs/semantics.md',
  'docs/architecture.md',
  'docs/operations.md',
  'docs/errors.md',
  'examples/content-moderation/README.md',
];

const urlOf = (path: string) => new URL(`../../${path}`, import.meta.url);
const file = (path: string) => readFile(urlOf(path), 'utf8');

describe('README', () => {
  it('has the quick start of examples/quick-start, which prints what it says and ends', async () => {
    const source = await file('examples/quick-start/main.ts');
    expect(await blocksOf('ts')).toContainEqual(source);
    const program = Program.start(urlOf('examples/quick-start/main.ts').pathname, {});
    try {
      expect(await program.exit).toBe(0);
      expect(program.output.trim()).toBe(printedBy(source));
    } finally {
      await program.kill();
    }
  }, 60_000);

  it('has the program on servers of examples/quick-start', async () => {
    expect(await blocksOf('ts')).toContainEqual(await file('examples/quick-start/orders.ts'));
  });

  it('says how to install what its programs import, also from a checkout', async () => {
    const page = await file('README.md');
    const { version } = JSON.parse(await file('package.json')) as { version: string };
    const installed = [...page.matchAll(/npm install (?:--save-dev )?([^\n`]+)/g)].flatMap(([, names = '']) =>
      names.split(' '),
    );
    const blocks = [...(await blocksOf('ts')), ...(await blocksOf('js'))].join('\n');
    const imported = [...blocks.matchAll(/(?:from|import) '((?:@[^/']+\/)?[^/']+)/g)].map(([, name]) => name ?? '');
    expect(imported).toContain('@nestjs/testing');
    expect(imported.filter((name) => !installed.includes(name))).toEqual([]);
    expect(installed).toEqual(expect.arrayContaining(['typescript', '@types/node']));
    expect(page).toContain(`nestjs-flowcraft-kafka-${version}.tgz`);
  });

  it('names every option with its default', async () => {
    const rows = (await file('README.md')).split('\n').map((line) => line.replace(/ +/g, ' '));
    for (const [path, value] of leaves(DEFAULT_OPTIONS)) {
      const row = rows.find((line) => line.startsWith(`| \`${path}\` |`)) ?? `no row for ${path}`;
      expect(row).toContain(`| \`${String(value)}\` |`);
    }
  });
});

describe('all pages', () => {
  it.each(PAGES)('%s names only npm scripts that exist', async (page) => {
    const { scripts } = JSON.parse(await file('package.json')) as { scripts: Record<string, string> };
    const named = [...(await file(page)).matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name ?? '');
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it.each(PAGES)('%s links only to files that exist', async (page) => {
    const folder = page.slice(0, page.lastIndexOf('/') + 1);
    const targets = [...(await file(page)).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => target ?? '');
    for (const target of targets.filter((t) => !t.endsWith('/')))
      await expect(file(folder + target)).resolves.toBeTruthy();
  });

  it('docs/errors.md explains every error code', async () => {
    const page = await file('docs/errors.md');
    expect(Object.values(ErrorCode).filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
  });
});

async function blocksOf(language: string): Promise<string[]> {
  const fences = (await file('README.md')).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'));
  return [...fences].map(([, code]) => code ?? '');
}

/** What a program says in a comment that it prints. */
function printedBy(source: string): string {
  const line = source.split('\n').find((text) => text.startsWith('console.log')) ?? '';
  return line.split(' // ')[1] ?? '';
}

function leaves(options: object, prefix = ''): [string, unknown][] {
  return Object.entries(options).flatMap(([name, value]): [string, unknown][] =>
    typeof value === 'object' && value !== null
      ? leaves(value as object, `${prefix}${name}.`)
      : [[`${prefix}${name}`, value]],
  );
}
