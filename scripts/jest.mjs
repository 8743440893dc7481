// Runs jest with the flags that ES modules need, and passes every argument on.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';

const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
flags.push('--import', new URL('open-handles.mjs', import.meta.url).href);
const child = spawn(process.execPath, [...flags, jest, ...process.argv.slice(2)], { stdio: 'inherit' });
process.on('SIGWINCH', () => child.kill('SIGWINCH')); // says what is open
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
