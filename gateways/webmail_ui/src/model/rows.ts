// Where the rows of a long list are, so that only those in sight are drawn.

export class Rows {
  /** Top edges, and at the end the bottom of the last row; in pixels. */
  private readonly tops: number[] = [0];

  constructor(heights: Iterable<number>) {
    for (const height of heights) this.tops.push(this.height + height);
  }

  get height(): number {
    return this.tops.at(-1) ?? 0;
  }

  topOf(index: number): number {
    return this.tops[index] ?? 0;
  }

  /** First and last row, and beyond, between two heights. */
  between(top: number, bottom: number): [first: number, beyond: number] {
    return [Math.max(0, this.firstBelow(top) - 1), Math.min(this.firstBelow(bottom), this.tops.length - 1)];
  }

  private firstBelow(at: number): number {
    let low = 0;
    let high = this.tops.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.tops[middle] ?? 0) > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
