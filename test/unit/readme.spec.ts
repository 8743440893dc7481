import { readFile } from 'node:fs/promises';
import { jest } from '@jest/globals';
import { ErrorCode } from '../../src/core/errors.js';
import { DEFAULT_OPTIONS } from '../../src/composition/default-options.js';

const PACKAGE = 'nestjs-flowcraft-kafka';
const file = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('README', () => {
  it('shows the quick start as it is in examples/quick-start, and it prints what the README says', async () => {
    const source = await file('examples/quick-start/main.ts');
    expect(await blocksOf('ts')).toContainEqual(source);
    jest.unstable_mockModule(PACKAGE, () => import('../../src/index.js'));
    const print = jest.spyOn(console, 'log').mockImplementation(() => undefined);
    await import('../../examples/quick-start/main.js');
    const printed = print.mock.calls.map((args) => args.join(' '));
    print.mockRestore();
    expect(printed).toEqual([commentOf(source, 'console.log')]);
  });

  it('shows the program on servers as it is in examples/quick-start', async () => {
    expect(await blocksOf('ts')).toContainEqual(await file('examples/quick-start/orders.ts'));
  });

  it('names every option with its default', async () => {
    const rows = (await file('README.md')).split('\n').map((line) => line.replace(/ +/g, ' '));
    for (const [path, value] of leaves(DEFAULT_OPTIONS)) {
      const row = rows.find((line) => line.startsWith(`| \`${path}\` |`));
      expect(row ?? `no row for ${path}`).toContain(`| \`${String(value)}\` |`);
    }
  });

  it('names only npm scripts that exist', async () => {
    const { scripts } = JSON.parse(await file('package.json')) as { scripts: Record<string, string> };
    const named = [...`${await file('README.md')}${await file('CONTRIBUTING.md')}`.matchAll(/npm run ([\w:]+)/g)];
    const unknown = named.map(([, name]) => name ?? '').filter((name) => !(name in scripts));
    expect(unknown).toEqual([]);
  });

  it('links only to files that exist', async () => {
    for (const page of [
      'README.md',
      'CONTRIBUTING.md',
      'docs/semantics.md',
      'docs/architecture.md',
      'docs/operations.md',
    ]) {
      const folder = page.includes('/') ? page.slice(0, page.lastIndexOf('/') + 1) : '';
      const targets = [...(await file(page)).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => target ?? '');
      for (const target of targets.filter((t) => !t.endsWith('/')))
        await expect(file(folder + target)).resolves.toBeTruthy();
    }
  });
});

describe('docs/errors.md', () => {
  it('explains every error code', async () => {
    const page = await file('docs/errors.md');
    expect(Object.values(ErrorCode).filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
  });
});

async function blocksOf(language: string): Promise<string[]> {
  const fences = (await file('README.md')).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'));
  return [...fences].map(([, code]) => code ?? '');
}

/** What a line says that it prints. */
function commentOf(source: string, statement: string): string {
  const line = source.split('\n').find((text) => text.startsWith(statement)) ?? '';
  return line.split(' // ')[1] ?? '';
}

function leaves(options: object, prefix = ''): [string, unknown][] {
  return Object.entries(options).flatMap(([name, value]): [string, unknown][] =>
    typeof value === 'object' && value !== null
      ? leaves(value as object, `${prefix}${name}.`)
      : [[`${prefix}${name}`, value]],
  );
}
