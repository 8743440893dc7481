const WIDTH = 30;
const LINES_WITHOUT_TERMINAL = 4;

/** A bar that moves, or a few lines where there is no terminal. */
export class Progress {
  private told = 0;

  constructor(
    private readonly total: number,
    private readonly stream: NodeJS.WriteStream,
  ) {}

  show(done: number): void {
    const isLast = done === this.total;
    const step = this.stream.isTTY ? 1 : Math.ceil(this.total / LINES_WITHOUT_TERMINAL);
    if (!isLast && done - this.told < step) return;
    this.told = done;
    const filled = Math.round((done / this.total) * WIDTH);
    const line = `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${done}/${this.total}`;
    if (this.stream.isTTY) this.stream.write(`\r${line}${isLast ? '\n' : ''}`);
    else this.stream.write(`${line}\n`);
  }
}
