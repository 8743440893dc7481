/** Finds Java and Maven, or installs them. */
import path from 'node:path';
import { aptInstall, canInstall } from './apt.mjs';
import { StackError } from './errors.mjs';
import { findProgram, run } from './run.mjs';

const OLDEST_JAVA = 17;
/** Cassandra 5.0 needs the security manager, which Java 24 removed. */
const NEWEST_JAVA = 23;

/** Returns { java, mvn }: the programs to run. */
export async function ensureJava(settings) {
  const lacking = await missing(settings);
  const packages = lacking.map(({ aptPackage }) => aptPackage).filter((name) => name !== undefined);
  if (packages.length > 0 && canInstall()) await aptInstall(packages);
  const [problem] = await missing(settings);
  if (problem) throw new StackError(problem.message);
  return { java: javaProgram(settings), mvn: findProgram('mvn') };
}

async function missing(settings) {
  const problems = [];
  const javaProblem = await describeJavaProblem(settings);
  if (javaProblem) {
    // A Java that JAVA_HOME names is the user's choice: no package would change it.
    problems.push({ aptPackage: settings.javaHome ? undefined : 'openjdk-17-jre-headless', message: javaProblem });
  }
  if (!findProgram('mvn')) {
    problems.push({
      aptPackage: 'maven',
      message: `Maven (mvn) is not on PATH, it brings the jars of Kafka and Cassandra. Install it (Debian: apt-get install maven, macOS: brew install maven), or start Docker.`,
    });
  }
  return problems;
}

async function describeJavaProblem(settings) {
  const advice = `Install Java 17 (Debian: apt-get install openjdk-17-jre-headless, macOS: brew install openjdk@17) and point JAVA_HOME at it, or start Docker.`;
  const program = javaProgram(settings);
  if (!program) return `Java is not on PATH and JAVA_HOME is not set. ${advice}`;
  const { code, output } = await run(program, ['-version'], { timeoutMs: 30_000 });
  const major = Number(/version "(\d+)/.exec(output)?.[1]);
  if (code !== 0 || !Number.isInteger(major)) return `${program} -version does not work: ${output.trim()}\n${advice}`;
  if (major < OLDEST_JAVA || major > NEWEST_JAVA) {
    return `${program} is Java ${major}, the servers need Java ${OLDEST_JAVA} (up to ${NEWEST_JAVA}). ${advice}`;
  }
  return undefined;
}

function javaProgram({ javaHome }) {
  return javaHome ? path.join(javaHome, 'bin', 'java') : findProgram('java');
}
