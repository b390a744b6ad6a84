/** What a promise rejects with. `expect(…).rejects` of Bun holds the loop while it waits, and with it what the promise waits for. */
export const thrownBy = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise;
  } catch (thrown) {
    return thrown;
  }
  throw new Error("expected a rejection");
};
