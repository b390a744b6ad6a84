/** The table of subcommands, in the order of `vedette --help`. */
import { camera } from "./camera.ts";
import type { Command } from "./command.ts";
import { dlq } from "./dlq.ts";
import { doctor } from "./doctor.ts";
import { drive } from "./drive.ts";
import { keys } from "./keys.ts";
import { down, status, up } from "./processes.ts";
import { replay } from "./replay.ts";
import { store } from "./store.ts";
import { tail } from "./tail.ts";
import { topicsCommand } from "./topics.ts";
import { verify } from "./verify.ts";

export const commands: readonly Command[] = [
  up,
  down,
  status,
  doctor,
  camera,
  topicsCommand,
  tail,
  drive,
  dlq,
  keys,
  replay,
  store,
  verify,
];
