/** The program files of Apache Kafka, fetched once by Maven into `.cache/kafka`. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../process.ts";

const kafkaVersion = "4.1.1";
/** Kafka logs through slf4j; this is the back end that needs no configuration. */
const loggerVersion = "1.7.36";
const fetchMs = 300_000;

export const brokerCache = join(import.meta.dirname, "../../.cache/kafka");
const folder = join(brokerCache, `lib-${kafkaVersion}`);

const dependency = (groupId: string, artifactId: string, version: string): string =>
  `    <dependency><groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${version}</version></dependency>`;

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>vedette</groupId>
  <artifactId>broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
${dependency("org.apache.kafka", "kafka_2.13", kafkaVersion)}
${dependency("org.slf4j", "slf4j-simple", loggerVersion)}
  </dependencies>
</project>
`;

const programs = { java: "openjdk-17-jre-headless", mvn: "maven" } as const;
const missing = (): (keyof typeof programs)[] =>
  (["java", "mvn"] as const).filter((program) => Bun.which(program) === null && !(program === "mvn" && existsSync(folder)));

/** Java and Maven: those that are installed, else Debian's, where they can be. Null when there; else why not. */
const providePrograms = async (): Promise<string | null> => {
  const lacking = missing();
  if (lacking.length === 0) return null;
  const packages = lacking.map((program) => programs[program]);
  const advice = `needs Java 17 and Maven (apt-get install ${packages.join(" ")})`;
  if (Bun.which("apt-get") === null) return advice;
  if (process.getuid?.() !== 0) return `${advice}; installing them takes root`;
  process.stdout.write(`installing ${packages.join(" ")} for the Kafka broker\n`);
  const options = { timeoutMs: fetchMs };
  await run("apt-get", ["update", "-qq"], options);
  const install = await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], options);
  return missing().length === 0 ? null : `${advice}; installing them failed: ${lastLine(install.output)}`;
};

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";

/** Null when Java and the jars are there; else why not, in one line. */
export const provideBroker = async (): Promise<string | null> => {
  const reason = await providePrograms();
  if (reason !== null || existsSync(folder)) return reason;
  // A folder of its own, renamed when whole: two that fetch at once do not disturb each other.
  const partial = join(brokerCache, `partial-${process.pid}`);
  mkdirSync(partial, { recursive: true });
  writeFileSync(join(partial, "pom.xml"), pom);
  process.stdout.write(`fetching Apache Kafka ${kafkaVersion} by Maven\n`);
  const goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", `-DoutputDirectory=${join(partial, "lib")}`];
  const fetched = await run("mvn", ["-q", "-B", "-f", join(partial, "pom.xml"), ...goal], { timeoutMs: fetchMs });
  const jars = existsSync(join(partial, "lib")) ? readdirSync(join(partial, "lib")) : [];
  const isWhole = fetched.status === 0 && jars.some((jar) => jar.startsWith("kafka_2.13-"));
  if (isWhole && !existsSync(folder)) renameSync(join(partial, "lib"), folder);
  rmSync(partial, { recursive: true, force: true });
  if (existsSync(folder)) return null;
  return `Apache Kafka ${kafkaVersion} could not be fetched by Maven: ${lastLine(fetched.output) || "no answer"}`;
};

/** The class path of a broker; `provideBroker` comes first. */
export const classPath = (): string => join(folder, "*");
