import { systemClock } from "../../../runtime/clock.ts";
import { createMemoryStore } from "../../../runtime/store-memory.ts";
import { storeContract } from "../../support/store-contract.ts";

storeContract("memory", async () => {
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const store = createMemoryStore({ clock, defer: setImmediate });
  return {
    store,
    away: store.away,
    back: store.back,
    age(ms) {
      aheadMs += ms;
    },
    dispose: store.close,
  };
}, ["reopen"]);
