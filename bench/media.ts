/** The clip and the model that benches see with: fetched before by the product, or kept beside the repository. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

const find = (name: string): string => {
  const found = [join(root, ".cache", name), join(root, "../shared", name)].find((path) => existsSync(path));
  if (found) return found;
  throw new Error(`there is no .cache/${name}: run bun run start once, which fetches it`);
};

export const clipPath = (): string => find("media/vtest.avi");
export const modelPath = (): string => find("models/yolox_nano.onnx");
