/** Whether an archive of an incident is whole and unchanged: by its own manifest, and by pictures that are named by their content. */
import { unzipSync } from "fflate";
import { Incident } from "../../protocols/incident.ts";
import { reasonOf } from "../../runtime/errors.ts";
import { incidentPath, Manifest, manifestPath, picturePath, sha256 } from "../bundle.ts";

export type Verified = {
  /** Empty when all is well. */
  readonly problems: readonly string[];
  readonly manifest: Manifest | null;
  readonly incident: Omit<Incident, "type"> | null;
};

/** Far above any archive of ours: what unfolds to more is not unfolded. */
export const unpackedMaxBytes = 64 * 2 ** 20;
const filesMax = 1_000;

type Files = Readonly<Record<string, Uint8Array>>;

const unpack = (archive: Uint8Array): Files => {
  let bytes = 0;
  let count = 0;
  return unzipSync(archive, {
    filter({ originalSize }) {
      bytes += originalSize;
      count++;
      if (bytes > unpackedMaxBytes) throw new Error(`it unfolds to more than ${unpackedMaxBytes} bytes`);
      if (count > filesMax) throw new Error(`it holds more than ${filesMax} files`);
      return true;
    },
  });
};

const readJson = <T>(files: Files, path: string, parse: (value: unknown) => T, problems: string[]): T | null => {
  const bytes = Object.hasOwn(files, path) ? files[path] : undefined;
  if (!bytes) {
    problems.push(`${path} is missing`);
    return null;
  }
  try {
    return parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (thrown) {
    problems.push(`${path} does not read: ${reasonOf(thrown).split("\n")[0]}`);
    return null;
  }
};

const compare = (files: Files, manifest: Manifest, problems: string[]): void => {
  const named = new Set([manifestPath]);
  for (const { path, bytes, sha256: expected } of manifest.files) {
    if (named.has(path)) problems.push(`${path} is named twice`);
    named.add(path);
    const found = Object.hasOwn(files, path) ? files[path] : undefined;
    if (!found) problems.push(`${path} is missing`);
    else if (found.byteLength !== bytes) problems.push(`${path} has ${found.byteLength} bytes, the manifest says ${bytes}`);
    else if (sha256(found) !== expected) problems.push(`${path} was changed: its SHA-256 is not that of the manifest`);
  }
  for (const path of Object.keys(files)) if (!named.has(path)) problems.push(`${path} is not in the manifest`);
};

const checkPictures = (files: Files, incident: Omit<Incident, "type">, { missing }: Manifest, problems: string[]): void => {
  for (const id of incident.evidenceIds) {
    const path = picturePath(id);
    const image = Object.hasOwn(files, path) ? files[path] : undefined;
    const isSaidMissing = missing.some((each) => each.startsWith(`${path}:`));
    if (!image && !isSaidMissing) problems.push(`${path} is missing, and the manifest does not say so`);
    // The id was given when the incident was told of; a manifest that was written anew does not change it.
    if (image && !id.endsWith(`-${sha256(image)}`)) problems.push(`${path} is not the picture that the incident names`);
  }
};

export const verifyBundle = (archive: Uint8Array): Verified => {
  const problems: string[] = [];
  let files: Files;
  try {
    files = unpack(archive);
  } catch (thrown) {
    return { problems: [`it is no archive that can be read: ${reasonOf(thrown)}`], manifest: null, incident: null };
  }
  const manifest = readJson(files, manifestPath, (value) => Manifest.parse(value), problems);
  if (!manifest) return { problems, manifest, incident: null };
  compare(files, manifest, problems);
  const incident = readJson(files, incidentPath, (value) => Incident.schema.parse(value), problems);
  if (incident) {
    if (incident.id !== manifest.incident) problems.push(`${incidentPath} is of another incident than the manifest`);
    checkPictures(files, incident, manifest, problems);
  }
  return { problems, manifest, incident };
};
