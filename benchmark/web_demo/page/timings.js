const KEPT = 30;

/** Milliseconds of the last 30 frames. */
export class Timings {
  #kept = [];

  add(milliseconds) {
    this.#kept = [...this.#kept.slice(1 - KEPT), milliseconds];
  }

  clear() {
    this.#kept = [];
  }

  get isFull() {
    return this.#kept.length === KEPT;
  }

  /** The median in milliseconds, or null before the first frame. */
  get median() {
    if (!this.#kept.length) return null;
    const sorted = this.#kept.toSorted((a, b) => a - b);
    return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  }
}
