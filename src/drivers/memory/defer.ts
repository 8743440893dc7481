/** How the memory drivers put off what must not happen within the caller's own call. */
export type Defer = (run: () => void) => void;

/** After the input and output that is pending now: a busy engine must not starve the rest of its process. */
export const deferToNextTurn: Defer = (run) => {
  setImmediate(run);
};
