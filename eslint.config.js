import eslint from '@eslint/js';
import prettier from 'eslint-config-prettier/flat';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Forbids imports by layer. Flat config replaces rule options, so every layer lists all it may not see. */
const layer = (files, forbidden, message) => ({
  files,
  rules: {
    '@typescript-eslint/no-restricted-imports': ['error', { patterns: forbidden.map((regex) => ({ regex, message })) }],
  },
});
const DRIVER_PACKAGES = '^(kafkajs|cassandra-driver|ioredis|prom-client)(/|$)';
const NEST = '^@nestjs/';
const IO = '^node:(fs|net|http|https|child_process|dgram|tls)';

export default defineConfig(
  globalIgnores([
    'dist/',
    '.build/',
    'coverage/',
    '.stack/',
    'test/conformance/corpus/',
    'test/e2e/adapter-page/programs/',
  ]),
  eslint.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['*.js'] }, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/require-await': 'off', // port methods are async by contract
      '@typescript-eslint/no-non-null-assertion': 'error',
      'no-console': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  layer(['src/core/**'], [DRIVER_PACKAGES, NEST, IO, '/(ports|engine|drivers|nest)/'], 'core is pure'),
  layer(['src/ports/**'], [DRIVER_PACKAGES, NEST, '/(engine|drivers|nest)/'], 'ports are interfaces over core types'),
  layer(['src/engine/**'], [DRIVER_PACKAGES, NEST, '/(drivers|nest)/'], 'the engine speaks to ports'),
  layer(
    ['src/drivers/kafka/**'],
    [NEST, '^(cassandra-driver|ioredis)', '/(engine|nest|cassandra|redis|memory)/'],
    'a driver implements ports and sees no other driver',
  ),
  layer(
    ['src/drivers/cassandra/**'],
    [NEST, '^(kafkajs|ioredis)', '/(engine|nest|kafka|redis|memory)/'],
    'a driver implements ports and sees no other driver',
  ),
  layer(
    ['src/drivers/redis/**'],
    [NEST, '^(kafkajs|cassandra-driver)', '/(engine|nest|kafka|cassandra|memory)/'],
    'a driver implements ports and sees no other driver',
  ),
  layer(
    ['src/drivers/memory/**'],
    [NEST, DRIVER_PACKAGES, '/(engine|nest|kafka|cassandra|redis)/'],
    'a driver implements ports and sees no other driver',
  ),
  layer(['src/composition/**', 'src/adapter/**'], [NEST, '/nest/'], 'this works without Nest'),
  {
    files: ['src/core/**', 'src/engine/**', 'src/ports/**'],
    rules: {
      'no-restricted-globals': ['error', 'setTimeout', 'setInterval', 'setImmediate'],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'use the Clock port' },
        { object: 'Math', property: 'random', message: 'use the Ids port' },
      ],
    },
  },
  {
    files: ['test/**', 'examples/**'],
    rules: {
      'no-console': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        URL: 'readonly',
        globalThis: 'readonly',
        structuredClone: 'readonly',
        fetch: 'readonly',
        AbortController: 'readonly',
        performance: 'readonly',
      },
    },
    rules: { 'no-console': 'off' },
  },
  prettier,
);
