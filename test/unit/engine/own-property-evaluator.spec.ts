import { jest } from '@jest/globals';
import fc from 'fast-check';
import { PropertyEvaluator, UnsafeEvaluator, type IEvaluator } from 'flowcraft';
import { evaluatorFor, OwnPropertyEvaluator } from '../../../src/engine/own-property-evaluator.js';
import { startApp } from '../../support/nest-app.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const evaluator = () => new OwnPropertyEvaluator(new RecordingLogger());

describe('a path of an edge', () => {
  it('through data answers what flowcraft answers', () => {
    const theirs = new PropertyEvaluator();
    const names = fc.constantFrom('a', 'b', 'c', '0', 'length', '$x', '_y');
    const data = fc.letrec((tie) => ({
      value: fc.oneof(
        fc.constantFrom(1, 0, '', 'text', true, null, undefined),
        fc.array(tie('value'), { maxLength: 2 }),
        fc.dictionary(names, tie('value'), { maxKeys: 3 }),
      ),
    })).value;
    fc.assert(
      fc.property(fc.dictionary(names, data), fc.array(names, { minLength: 1, maxLength: 4 }), (context, path) => {
        const expression = path.join('.');
        expect(evaluator().evaluate(expression, context)).toEqual(theirs.evaluate(expression, context));
      }),
    );
  });

  it('goes through getters of classes, and through properties that are only named like those of prototypes', () => {
    class Order {
      get isLarge(): boolean {
        return true;
      }
    }
    const own = JSON.parse('{"constructor": {"name": "ACME"}, "__proto__": {"x": 1}}') as unknown;
    const context = { result: { output: new Order(), map: new Map([[1, 1]]), own } };
    expect(evaluator().evaluate('result.output.isLarge', context)).toBe(true);
    expect(evaluator().evaluate('result.map.size', context)).toBe(1);
    expect(evaluator().evaluate('result.own.constructor.name', context)).toBe('ACME');
    expect(evaluator().evaluate('result.own.__proto__.x', context)).toBe(1);
  });

  it.each([
    'result.constructor',
    'result.constructor.constructor',
    'result.__proto__',
    'result.list.__proto__.constructor',
    'result.text.constructor',
    'result.toString',
    'result.list.map',
    'result.__defineGetter__',
    'constructor',
    '__proto__',
    'toString',
  ])('does not leave the data: %s', (expression) => {
    expect(evaluator().evaluate(expression, { result: { list: [], text: 'x' } })).toBeUndefined();
  });

  it('whose getter throws is undefined', () => {
    const result = Object.defineProperty({}, 'x', {
      get: () => {
        throw new Error('no');
      },
    });
    expect(evaluator().evaluate('result.x', { result })).toBeUndefined();
  });

  it('that is no path is undefined, and told once', () => {
    const logger = new RecordingLogger();
    const own = new OwnPropertyEvaluator(logger);
    for (let i = 0; i < 3; i++) expect(own.evaluate('result > 1', { result: 2 })).toBeUndefined();
    expect(logger.lines).toEqual([{ level: 'warn', message: expect.stringContaining("'result > 1'") }]);
  });
});

describe('the evaluator of a runtime', () => {
  it("is ours in place of flowcraft's own", () => {
    const logger = new RecordingLogger();
    expect(evaluatorFor(undefined, logger)).toBeInstanceOf(OwnPropertyEvaluator);
    expect(evaluatorFor(new PropertyEvaluator(), logger)).toBeInstanceOf(OwnPropertyEvaluator);
    expect(logger.lines).toEqual([]);
  });

  it("is the user's, a subclass of flowcraft's included", () => {
    class Mine extends PropertyEvaluator {}
    const given: IEvaluator[] = [new Mine(), { evaluate: () => true }];
    for (const own of given) expect(evaluatorFor(own, new RecordingLogger())).toBe(own);
  });

  it('is unsafe only by the wish of the user, which is told at start', async () => {
    const warned = async (evaluator?: IEvaluator) => {
      const { app, logger } = await startApp({ runtime: evaluator ? { evaluator } : {} });
      await app.close();
      return logger.lines.filter(({ level, message }) => level === 'warn' && message.includes('UnsafeEvaluator'));
    };
    expect(await warned(new UnsafeEvaluator())).toHaveLength(1);
    expect(await warned()).toEqual([]);
  });

  it('decides edges: a condition on a prototype is not met', async () => {
    const warn = jest.spyOn(console, 'error').mockReturnValue(undefined);
    const flow = {
      id: 'flow',
      nodes: ['a', 'b', 'c'].map((id) => ({ id, uses: 'step' })),
      edges: [
        { source: 'a', target: 'b', condition: 'result.output.constructor' },
        { source: 'a', target: 'c', condition: 'result.output.ok' },
      ],
    };
    const { app, run } = await startApp({
      runtime: { blueprints: { flow }, registry: { step: async () => ({ output: { ok: true } }) } },
    });
    const { result } = await run('flow');
    expect(Object.keys(result?.context ?? {})).toContain('c');
    expect(Object.keys(result?.context ?? {})).not.toContain('b');
    await app.close();
    warn.mockRestore();
  });
});
