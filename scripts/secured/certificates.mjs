/** Certificates for one run of the tests: made when they are needed, and thrown away with the servers. */
import path from 'node:path';
import { aptInstall, canInstall } from '../stack/apt.mjs';
import { StackError } from '../stack/errors.mjs';
import { findProgram, run } from '../stack/run.mjs';

/** Returns the paths of { ca, key, certificate, keystore }; the keystore is PKCS12 and holds key and certificate. */
export async function makeCertificates(dir, password) {
  await ensureOpenssl();
  const file = (name) => path.join(dir, name);
  const files = {
    ca: file('ca.pem'),
    key: file('server.key'),
    certificate: file('server.pem'),
    keystore: file('server.p12'),
  };
  const caKey = file('ca.key');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  await openssl('req', '-x509', ...curve, '-keyout', caKey, '-out', files.ca, '-subj', '/CN=test authority');
  await openssl(
    ...['req', '-x509', ...curve, '-CA', files.ca, '-CAkey', caKey, '-keyout', files.key, '-out', files.certificate],
    ...['-subj', '/CN=localhost', '-addext', names, '-addext', 'basicConstraints=critical,CA:FALSE'],
  );
  await openssl(
    ...['pkcs12', '-export', '-in', files.certificate, '-inkey', files.key, '-certfile', files.ca, '-name', 'server'],
    ...['-out', files.keystore, '-passout', `pass:${password}`],
  );
  return files;
}

async function openssl(...args) {
  const { code, output } = await run('openssl', args, { timeoutMs: 30_000 });
  if (code !== 0) throw new StackError(`openssl ${args[0]} failed (exit code ${code}):\n${output.trim()}`);
}

async function ensureOpenssl() {
  if (findProgram('openssl')) return;
  if (!canInstall())
    throw new StackError('openssl is not on PATH, it makes the certificates of the tests. Install it.');
  await aptInstall(['openssl']);
}
